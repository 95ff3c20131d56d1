"""What is let in: checks of plugin objects and of what their hooks return."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backy2_core import api
from backy2_core.plugins import discovery
from backy2_core.plugins.guard import Unusable, run_with_care

VERSION_ATTRIBUTE = "backy2_api_version"


@dataclass(frozen=True, slots=True)
class Role:
    """What a plugin of a group must be: the hook that it cannot do without."""

    title: str
    required_hook: str


ROLES = {
    discovery.SOURCES: Role("source", "backy2_open_source"),
    discovery.DATA_BACKENDS: Role("data backend", "backy2_open_data_backend"),
    discovery.META_BACKENDS: Role("meta backend", "backy2_open_meta_backend"),
    discovery.TRANSFORMS: Role("transform", "backy2_make_transform"),
    discovery.LISTENERS: Role("listener", "backy2_make_listener"),
    discovery.FORMATTERS: Role("formatter", "backy2_make_formatter"),
}
"""By group. Commands have no hooks: cliff loads their classes."""

RESULTS: dict[str, tuple[type, ...]] = {
    "backy2_open_source": (api.Source,),
    "backy2_open_target": (api.Target,),
    "backy2_open_snapshots": (api.Snapshots,),
    "backy2_list_sources": (list, tuple),
    "backy2_open_data_backend": (api.DataBackend,),
    "backy2_open_meta_backend": (api.MetaBackend,),
    "backy2_open_original": (api.OriginalDatabase,),
    "backy2_make_transform": (api.Transform,),
    "backy2_make_listener": (api.Listener,),
    "backy2_make_formatter": (api.ListFormatter, api.SingleFormatter),
}
"""By hook: what it must return, one of these."""

MAY_RETURN_NONE = frozenset({"backy2_open_snapshots", "backy2_list_sources"})
"""Hooks by which a plugin may say that it cannot do this for what it was asked."""


def check_object(plugin: object) -> int:
    """The API version that a plugin object was written for; refuses one that cannot be used."""
    if inspect.isclass(plugin):
        raise Unusable(f"names the class {plugin.__name__}; name a module or an instance of that class")
    try:
        hash(plugin)
    except TypeError as error:
        raise Unusable(f"{error}; a plugin object must be hashable (a dataclass needs eq=False)") from error
    version = getattr(plugin, VERSION_ATTRIBUTE, None)
    if not isinstance(version, int) or isinstance(version, bool):
        raise Unusable(f"carries no integer {VERSION_ATTRIBUTE} (this release has {api.API_VERSION})")
    return check_version(version)


def check_version(version: int) -> int:
    """The version itself, if this release still (or already) serves it."""
    oldest = api.API_VERSION - api.API_AGE
    if version < oldest:
        raise Unusable(
            f"was written for version {version} of the plugin API, too old for this release, "
            f"which takes {oldest} to {api.API_VERSION}; a newer plugin is needed"
        )
    if version > api.API_VERSION:
        raise Unusable(
            f"was written for version {version} of the plugin API, too new for this release, "
            f"which takes {oldest} to {api.API_VERSION}; a newer backy2 is needed"
        )
    return version


def check_role(group: str, plugin: object, hooks: Sequence[str]) -> None:
    """Refuse a plugin without the hook that its group cannot do without; ``hooks`` are those that it has."""
    role = ROLES[group]
    if role.required_hook in hooks:
        return
    if callable(getattr(plugin, role.required_hook, None)):
        raise Unusable(f"has a function {role.required_hook}, but it is not marked @hookimpl")
    raise Unusable(f"has no hook {role.required_hook}, which every {role.title} needs")


def check_command(command: object) -> None:
    """Refuse what cliff cannot run as a command."""
    from cliff.command import Command

    if not (inspect.isclass(command) and issubclass(command, Command)):
        raise Unusable(f"names {_describe(command)}, expected a subclass of cliff.command.Command")


def check_result(hook: str, result: object) -> None:
    """Refuse a hook's result that is not of the role's class."""
    expected = RESULTS.get(hook)
    if expected is None or isinstance(result, expected) or (result is None and hook in MAY_RETURN_NONE):
        return
    names = " or ".join(cls.__name__ if cls in (list, tuple) else f"backy2_core.api.{cls.__name__}" for cls in expected)
    raise Unusable(f"{hook} returned {_describe(result)}, expected an instance of {names}")


def check_settings(result: object) -> tuple[api.Setting, ...]:
    """The settings that a plugin declares, without two of one name."""
    declared: Sequence[object] = () if result is None else result if isinstance(result, Sequence) else (result,)
    settings = tuple(setting for setting in declared if isinstance(setting, api.Setting))
    if len(settings) != len(declared):
        raise Unusable("backy2_settings must return a sequence of backy2_core.api.Setting")
    names = [name for setting in settings for name in (setting.name, *setting.aliases)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Unusable(f"backy2_settings declares {', '.join(twice)} twice")
    return settings


def call_hook(hook: str, call: Callable[[], Any]) -> Any:
    """Run a plugin's hook: its named errors pass, anything else it raises becomes a reason to refuse it."""
    return run_with_care(hook, call, api.BackyError)


def _describe(thing: object) -> str:
    if thing is None:
        return "None"
    kind = thing if inspect.isclass(thing) else type(thing)
    article = "the class" if kind is thing else "an instance of"
    return f"{article} {kind.__module__}.{kind.__qualname__}"
