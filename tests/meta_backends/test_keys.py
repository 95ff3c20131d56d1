"""The keys of a query are gone when it is done: a command that looks up millions must not hold them all."""

from __future__ import annotations

import gc

import pytest

from backy2_core.model.blob import BlobUid
from tests.meta_backends.test_servers import open_url


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
    ],
)
def test_no_key_waits_for_the_garbage_collector(kind, request, tmp_path):
    url = f"sqlite:///{tmp_path}/x" if kind == "sqlite" else request.getfixturevalue(kind).make_database()
    uids = [BlobUid(f"key-{number}") for number in range(1000)]
    with open_url(url) as meta:
        meta.initialise()
        store = meta.register_store("store", "file", "/x")
        for _ in range(3):
            meta.recorded_uids(store, uids)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            meta.recorded_uids(store, uids)
            gc.collect()
            held = [found for found in gc.garbage if isinstance(found, list | tuple | dict) and len(found) >= len(uids)]
            assert held == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
