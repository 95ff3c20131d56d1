"""The hooks by which plugins are asked for their objects.

An entry point names a *plugin object*: a module, or an instance, with functions marked ``@hookimpl`` and with an integer
``backy2_api_version``. A driver's hook is called on that one driver only, when the driver was selected by name, in the
thread that runs the command unless its docstring says otherwise. An implementation may take fewer arguments than its spec.

An exception of our tree (:class:`backy2_core.errors.BackyError`) ends the command with its own message and exit code. Any
other becomes a :class:`backy2_core.errors.PluginError`, exit code 11, that names the distribution. What else an exception
does is said with the hook. ``docs/plugins/hooks.md`` is made from the docstrings below.
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
"""Marks a function of a plugin object as the implementation of the hook of its name."""


@hookspec(firstresult=True)
def backy2_settings() -> Sequence[Setting]:
    """Any role but formatter and command: the settings that the plugin's section of the configuration may hold. Without
    it: none.

    When: after the plugin was loaded and before each of its other hooks, and by ``plugins show``; so more than once. Thread:
    as the hook that it goes before. An exception: as of that hook.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Source: open what ``url`` names for reading. The URL comes as the user wrote it, scheme and all.

    When: for a backup, for a scrub that compares with a source, and for ``plugins check``. The object is closed by the same
    thread. Thread: the one that runs the command. An exception ends the command; no version was begun.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Source: open or make what ``url`` names for a restore. A source without it cannot be restored to.

    When: once a restore, after the version was found and before its blocks are read. Thread: the one that runs the command.
    An exception ends the command; version and target stay as they are.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_snapshots(url: str, settings: Settings) -> Snapshots | None:
    """Source, where it can: open the snapshots of the device that ``url`` names, so that a backup of it makes a
    snapshot (or takes the one that ``url`` names), reads only what changed since the last one, and removes older
    ones of its own. None if what ``url`` names has no snapshots; it is then read as it stands.

    When: once a backup, before the source is opened. Thread: the one that runs the command. An exception ends the command;
    no version was begun.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_list_sources(pattern: str, settings: Settings) -> Sequence[str] | None:
    """Source, where it can: the URLs of all devices that ``pattern`` means (a URL with ``*``, ``?`` or ``[...]`` in
    the place of names), in order of their names; one of exactly that name is among them, whatever the pattern means. None if
    no other device is meant. The last part of each URL, behind the last ``/``, is the device's name; each URL is then opened as
    it stands, even if it looks like a pattern.

    When: before the backups that a pattern asks for, each of which then opens its own URL. Thread: the one that runs the
    command. An exception ends the command before the first backup.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Data backend: open the store.

    When: by the first step of a command that needs the store; a list of versions opens none. The object is closed at the
    end of the command. Thread: the one that runs the command. An exception ends the command; nothing was stored or
    recorded. The core retries calls of the object that fail as retryable, but not this hook.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_meta_backend(settings: Settings) -> MetaBackend:
    """Meta backend: open the database; it may be empty, see :meth:`MetaBackend.initialise`. Provisional.

    When: once a command, by almost every one. The object is closed at the end of the command. Thread: the one that runs the
    command. An exception ends the command; nothing was done.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_open_original(settings: Settings, url: str | None) -> OriginalDatabase:
    """Meta backend, where it can: open the original's database for being taken over. ``url`` names it in the notation of
    this kind of database; None means the one that the settings name, where both stand side by side. Provisional.

    When: by ``adopt``. Thread: the one that runs the command. An exception ends the command; nothing was taken over.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_move_metadata(
    settings: Settings, origin: str, destination: str, tell: Callable[[int, int], None]
) -> Mapping[str, int]:
    """Meta backend, where it can: move all that the database ``origin`` holds to the empty one ``destination``, both in
    the notation of this kind of database. Refuses while a job is live. Interrupted at any moment, all is still in ``origin``.
    Afterwards ``origin`` is in the state ``MOVED`` and takes no more. ``tell`` is called with how many rows of how
    many are done; the result says how many there were, by kind. Provisional.

    When: by ``move-metadata``. Thread: the one that runs the command. An exception ends the command; ``origin`` still holds
    all.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_transform(
    settings: Settings, parameters: dict[str, str | int] | None, keyring: Keyring | None
) -> Transform:
    """Transform: make a step from the settings. ``parameters`` are those recorded with a blob, where one is to be
    opened; None, where blobs are to be sealed as the settings say. ``keyring`` holds the secrets of the store; None where it
    has none.

    When: for each configured step as the engine is made; and at the first blob whose parameters were not met yet in this
    command. Thread: the one that runs the command; for a blob a worker thread, though never two at once. An exception ends
    the command; for a blob it ends the job, since it proves nothing of the blob.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_formatter() -> ListFormatter | SingleFormatter:
    """Formatter: make the object that cliff calls.

    When: as a command whose result is a list or a record is asked for in this format; also for its ``--help``. Thread: the
    one that runs the command. An exception ends the command before any work was done.
    """
    raise NotImplementedError


@hookspec(firstresult=True)
def backy2_make_listener(settings: Settings) -> Listener:
    """Listener: make the object that is told of events.

    When: once a command that does jobs, for all installed listeners that are not switched off, in the order of their names.
    Thread: the one that runs the command. An exception is a warning in the log that names the distribution, and the
    listener is left out; it ends the command only where ``required_listeners`` names it.
    """
    raise NotImplementedError
