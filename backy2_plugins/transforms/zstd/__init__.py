"""Transform ``zstd``: compresses each block by itself, and leaves alone those that hardly get smaller."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import ConfigError, Setting, Settings, SettingType, Transform, TransformError, hookimpl

backy2_api_version = 1

LEAST_LEVEL, HIGHEST_LEVEL = 1, 19
DEFAULT_LEVEL = 1

_LEVEL_HELP = (
    "How hard to compress, 1 to 19. Each step takes longer for a little less: 3 about half as long again as 1, 9 four times "
    "and 19 sixty times as long, with 54 MiB of memory a thread at blocks of 4 MiB. Opening needs no level."
)


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The level."""
    return (Setting("level", SettingType.INTEGER, DEFAULT_LEVEL, _LEVEL_HELP, minimum=LEAST_LEVEL),)


@hookimpl
def backy2_make_transform(settings: Settings, parameters: dict[str, str | int] | None) -> Transform:
    """Make a step that seals and opens; a frame says by itself how to open it, so nothing is recorded."""
    if parameters:
        raise TransformError(
            f"A blob is recorded as sealed by zstd with {', '.join(sorted(parameters))}, but zstd has no parameters here. A "
            "later release may have stored it, or its record was edited."
        )
    level = settings["level"]
    if level > HIGHEST_LEVEL:
        raise ConfigError(f"Section [transform:zstd], key level: {level} is too high; the highest is {HIGHEST_LEVEL}.")
    # Imported here: the library is needed by who compresses, not by who lists plugins.
    from backy2_plugins.transforms.zstd.frames import Zstd

    return Zstd(level)
