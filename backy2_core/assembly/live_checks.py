"""Checks the promises of one plugin on what the configuration selects: the live store, the live database, a device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from backy2_core.assembly.installation import Installation
from backy2_core.config.load import EMBEDDED
from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import KeyringError, UsageError
from backy2_core.plugins.discovery import DATA_BACKENDS, FORMATTERS, LISTENERS, META_BACKENDS, SOURCES, TRANSFORMS
from backy2_core.plugins.groups import short
from backy2_core.plugins.schemes import scheme_of
from backy2_core.testing import (
    live_blobs,
    live_documents,
    live_meta,
    live_output,
    live_source,
    live_target,
    live_transform,
)
from backy2_core.testing.live import Outcome, Verdict
from backy2_core.testing.live_database import DatabaseScratch
from backy2_core.testing.live_store import StoreScratch

Thing = TypeVar("Thing")

_OPENED = "it is opened as the configuration says"


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What is to be checked. ``url`` names the device of a source; with ``as_target`` what is to be made and written.

    ``events`` allows to tell a listener of events that never happened.
    """

    group: str
    name: str
    url: str | None = None
    as_target: bool = False
    events: bool = False


def check_live(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    """The outcome of each promise, as it is checked. :class:`UsageError` for what cannot be meant, and what opening raises."""
    _refuse_needless_url(request)
    checks = {
        DATA_BACKENDS: _check_data_backend,
        META_BACKENDS: _check_meta_backend,
        SOURCES: _check_target if request.as_target else _check_source,
        TRANSFORMS: _check_transform,
        FORMATTERS: _check_formatter,
        LISTENERS: _check_listener,
    }
    return checks[request.group](installation, request)


def _check_data_backend(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    _expect_selected(installation, request, "data_backend")
    if installation.config.origin == EMBEDDED:
        _ = installation.meta  # makes the folder that the store is in
    open_store = _opener(installation, request, "data_backend", "backy2_open_data_backend")
    opened, scratch = _timed(lambda: StoreScratch(open_store))
    with scratch:
        yield opened
        yield from live_blobs.PROMISES.check(scratch)
        yield from live_documents.PROMISES.check(scratch)


def _check_meta_backend(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    _expect_selected(installation, request, "meta_backend")
    _ = installation.meta  # refuses a schema that is not current, and says what to do
    open_database = _opener(installation, request, "meta_backend", "backy2_open_meta_backend")
    opened, scratch = _timed(lambda: DatabaseScratch(open_database))
    with scratch:
        yield opened
        yield from live_meta.PROMISES.check(scratch)


def _check_source(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    url = _url(installation, request, "the device to read")
    open_source = _opener(installation, request, f"source:{request.name}", "backy2_open_source", url=url)
    opened, device = _timed(lambda: live_source.DeviceUnderCheck(open_source))
    with device:
        yield opened
        yield from live_source.PROMISES.check(device)


def _check_target(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    url = _url(installation, request, "what is to be made and written")
    section = f"source:{request.name}"
    open_source = _opener(installation, request, section, "backy2_open_source", url=url)
    open_one = _opener(installation, request, section, "backy2_open_target", url=url)

    def open_target(wanted: TargetRequest) -> Any:
        return open_one(request=wanted)

    opened, new = _timed(lambda: live_target.NewTarget(url, open_target, open_source))
    with new:
        yield opened
        yield from live_target.PROMISES.check(new)


def _check_transform(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    make = _opener(installation, request, f"transform:{request.name}", "backy2_make_transform")
    keyring: Keyring | None = None
    try:
        opened, _ = _timed(lambda: make(parameters=None, keyring=None))
    except KeyringError:
        keyring = _keyring(installation)
        opened, _ = _timed(lambda: make(parameters=None, keyring=keyring))
    yield opened
    subject = live_transform.TransformUnderCheck(lambda parameters: make(parameters=parameters, keyring=keyring))
    yield from live_transform.PROMISES.check(subject)


def _check_formatter(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    plugin = installation.plugins.load(request.group, request.name)
    opened, formatter = _timed(lambda: installation.plugins.call(plugin, "backy2_make_formatter"))
    yield opened
    yield from live_output.FORMATTER.check(formatter)


def _check_listener(installation: Installation, request: CheckRequest) -> Iterator[Outcome]:
    make = _opener(installation, request, f"listener:{request.name}", "backy2_make_listener")
    opened, listener = _timed(make)
    listener.close()
    yield opened
    yield from live_output.LISTENER.check(live_output.ListenerUnderCheck(make, request.events))


def _opener(
    installation: Installation, request: CheckRequest, section: str, hook: str, **arguments: Any
) -> Callable[..., Any]:
    """Opens what the plugin opens, each time anew, and without the wrappers that would hide a fault of it."""
    registry = installation.plugins
    plugin = registry.load(request.group, request.name)
    settings = installation.config.plugin_settings(section, registry.settings(plugin))
    return partial(registry.call, plugin, hook, settings=settings, **arguments)


def _timed(open_it: Callable[[], Thing]) -> tuple[Outcome, Thing]:
    began = time.perf_counter()
    thing = open_it()
    return Outcome(_OPENED, Verdict.KEPT, (time.perf_counter() - began) * 1000), thing


def _expect_selected(installation: Installation, request: CheckRequest, section: str) -> None:
    selected = installation.config.type_of(section)
    if selected != request.name:
        raise UsageError(
            f"{short(request.group)}:{request.name} is not what [{section}] of {installation.config.origin} selects, but"
            f" {selected}; to check another, name a configuration that selects it: backy2 --config FILE plugins check"
            f" {section}"
        )


def _url(installation: Installation, request: CheckRequest, what: str) -> str:
    if request.url is None:
        raise UsageError(f"A source is checked on a device; say --url {request.name}://... for {what}.")
    scheme = scheme_of(request.url, installation.plugins.known(SOURCES))
    if scheme != request.name:
        raise UsageError(f"{request.url} is opened by the source {scheme}, not by {request.name}.")
    return request.url


def _refuse_needless_url(request: CheckRequest) -> None:
    if request.group != SOURCES and (request.url is not None or request.as_target):
        raise UsageError(
            f"--url and --target are for sources; {short(request.group)} are checked as they are configured."
        )
    if request.group != LISTENERS and request.events:
        raise UsageError("--events is for listeners.")


def _keyring(installation: Installation) -> Keyring:
    """That of the store; where it has none yet, one for this check alone, so that nothing is changed."""
    # Imported here: only what seals with a key needs them.
    from backy2_core.engine.keyring import StoreKeyring, new_store_key

    keys = installation.keys
    if not keys.place.data.capabilities.persistent or keys.place.look() is None:
        return StoreKeyring(new_store_key())
    return keys.open().ring
