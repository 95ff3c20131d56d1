"""An engine on a real SQLite database and a real folder, put together without a configuration file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import backy2_plugins.data_backends.file as file_store
import backy2_plugins.meta_backends.sql as sql
import backy2_plugins.sources.file as file_source
from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.contracts.transform import Transform
from backy2_core.engine.chain import Chain, MakeTransform
from backy2_core.engine.context import Engine, Options
from backy2_core.engine.store import open_store
from backy2_core.model.event import Event
from backy2_core.model.secret import Secret
from backy2_core.testing.memory_snapshots import MemoryDevice


def settings_of(plugin: ModuleType, **given: Any) -> dict[str, Any]:
    """The settings of a plugin: its defaults, and what is given."""
    return {setting.name: setting.default for setting in plugin.backy2_settings()} | given


def open_database(folder: Path) -> MetaBackend:
    """The SQLite database ``meta.sqlite`` in ``folder``, set up if it is new."""
    meta: MetaBackend = sql.backy2_open_meta_backend(
        settings_of(sql, engine=Secret(f"sqlite:///{folder / 'meta.sqlite'}"))
    )
    meta.initialise()
    return meta


def open_folder_store(folder: Path) -> DataBackend:
    """The file data backend in ``folder``/data."""
    store: DataBackend = file_store.backy2_open_data_backend(settings_of(file_store, path=str(folder / "data")))
    return store


def no_transform(name: str, parameters: dict[str, str | int]) -> Transform:
    """Makes no transform: for chains without steps."""
    raise AssertionError(f"no blob was sealed by {name}")


def make_engine(
    meta: MetaBackend,
    data: DataBackend,
    *,
    steps: Sequence[tuple[str, Transform]] = (),
    make: MakeTransform = no_transform,
    notify: Callable[[Event], None] = lambda event: None,
    device: MemoryDevice | None = None,
    **options: Any,
) -> Engine:
    """An engine on these two, with ``options`` of :class:`Options` (block size 4096 unless given).

    Its sources are files, or with a ``device`` what that is and was.
    """
    more = {} if device is None else {"open_source": device.open_source, "open_snapshots": device.open_snapshots}
    return Engine(
        meta=meta,
        data=data,
        store=open_store(meta, data, "file"),
        options=Options(**{"block_size": 4096} | options),
        chain=Chain(steps, make),
        open_target=lambda url, request: file_source.backy2_open_target(url, settings_of(file_source), request),
        notify=notify,
        **{"open_source": lambda url: file_source.backy2_open_source(url, settings_of(file_source))} | more,
    )


@contextmanager
def folder_engine(folder: Path, **options: Any) -> Iterator[Engine]:
    """An engine with its database and its store in ``folder``, closed at the end."""
    with open_database(folder) as meta, open_folder_store(folder) as data:
        yield make_engine(meta, data, **options)
