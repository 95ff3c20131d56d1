"""The hooks by which plugins are asked for their objects.

An entry point names a *plugin object*: a module, or an instance, with functions marked ``@hookimpl`` and with an integer
``backy2_api_version``. A driver's hook is called on that one driver only, in the thread that runs the command, when the
driver was selected by name; an exception from it ends the command with a message that names the plugin. An implementation
may take fewer arguments than its spec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pluggy

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.formatter import ListFormatter, SingleFormatter
from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.listener import Listener
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.contracts.settings import Setting, Settings
from backy2_core.contracts.snapshots import Snapshots
from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.contracts.transform import Transform

hookspec = pluggy.HookspecMarker("backy2")
hookimpl = pluggy.HookimplMarker("backy2")


@hookspec(firstresult=True)
def backy2_settings() -> Sequence[Setting]:
    """Any role: the settings that the plugin's section of the configuration may hold. Without it: none."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Source: open what ``url`` names for reading."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Source: open or make what ``url`` names for a restore. A source without it cannot be restored to."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_snapshots(url: str, settings: Settings) -> Snapshots | None:
    """Source, where it can: open the snapshots of the device that ``url`` names, so that a backup of it makes a
    snapshot (or takes the one that ``url`` names), reads only what changed since the last one, and removes older
    ones of its own. None if what ``url`` names has no snapshots; it is then read as it stands."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_list_sources(pattern: str, settings: Settings) -> Sequence[str] | None:
    """Source, where it can: the URLs of all devices that ``pattern`` means (a URL with ``*``, ``?`` or ``[...]`` in
    the place of names), in order of their names. None if the pattern is no pattern but names one device. The last
    part of each URL, behind the last ``/``, is the device's name."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Data backend: open the store."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_meta_backend(settings: Settings) -> MetaBackend:
    """Meta backend: open the database; it may be empty, see :meth:`MetaBackend.initialise`."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_original(settings: Settings, url: str | None) -> OriginalDatabase:
    """Meta backend, where it can: open the original's database for being taken over. ``url`` names it in the notation of
    this kind of database; None means the one that the settings name, where both stand side by side."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_move_metadata(
    settings: Settings, origin: str, destination: str, tell: Callable[[int, int], None]
) -> Mapping[str, int]:
    """Meta backend, where it can: move all that the database ``origin`` holds to the empty one ``destination``, both in
    the notation of this kind of database. Refuses while a job is live. Interrupted at any moment, all is still in ``origin``.
    Afterwards ``origin`` is in the state ``MOVED`` and takes no more. ``tell`` is called with how many rows of how
    many are done; the result says how many there were, by kind."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_transform(
    settings: Settings, parameters: dict[str, str | int] | None, keyring: Keyring | None
) -> Transform:
    """Transform: make a step from the settings. ``parameters`` are those recorded with a blob, where one is to be
    opened; None, where blobs are to be sealed as the settings say. ``keyring`` holds the secrets of the store; None where it
    has none."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_formatter() -> ListFormatter | SingleFormatter:
    """Formatter: make the object that cliff calls."""
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_listener(settings: Settings) -> Listener:
    """Listener: make the object that is told of events."""
    raise NotImplementedError
