"""Transform ``backy2_v1``: opens blobs that the original encrypted (its ``encryption_version: 1``), and seals nothing."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import ConfigError, Keyring, Setting, Settings, SettingType, Transform, TransformError, hookimpl
from backy2_plugins.transforms.backy2_v1.keys import read_keys

backy2_api_version = 1

_KEY_HELP = (
    "The original's encryption_key, 64 hexadecimal digits: opens what it encrypted. Where a file of the original has it in "
    "[DEFAULTS], it is taken from there."
)
_FORMER_HELP = (
    "Keys that the original had before a rekey, with white space or commas between. Dumps made before it need them."
)


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The master keys."""
    return (
        Setting("encryption_key", SettingType.SECRET, None, _KEY_HELP),
        Setting("former_encryption_keys", SettingType.SECRET, None, _FORMER_HELP),
    )


@hookimpl
def backy2_make_transform(
    settings: Settings, parameters: dict[str, str | int] | None, keyring: Keyring | None = None
) -> Transform:
    """Make what opens, with the keys that are configured and those that the store keeps; there is nothing that seals."""
    if parameters is None:
        raise ConfigError(
            "The transform backy2_v1 only opens what the original stored, it seals nothing. Take it out of the setting "
            "transforms in [backy2]; blobs that need it find it by themselves."
        )
    if parameters:
        raise TransformError(
            f"A blob is recorded as sealed by backy2_v1 with {', '.join(sorted(parameters))}, but backy2_v1 has no "
            "parameters. A later release may have stored it, or its record was edited."
        )
    # Imported here: these libraries are needed by who opens such blobs, not by who lists plugins.
    from backy2_plugins.transforms.backy2_v1.opener import Opener

    return Opener(read_keys(settings, keyring))
