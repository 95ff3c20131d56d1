"""Adoption where the original's database is on a server, and ours beside it in the same database."""

from __future__ import annotations

import pytest

from tests.exchange.test_adoption import DAMAGE, Site
from tests.meta_backends.conftest import mariadb, postgresql
from tests.support.original import unpack
from tests.support.original_tables import copy, dump

__all__ = ["mariadb", "postgresql"]

SERVERS = [
    pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
    pytest.param("mariadb", marks=pytest.mark.xdist_group("mariadb")),
]
RELEASE = "213-mixed-bs65536"


@pytest.mark.parametrize("server", SERVERS)
def test_the_old_configuration_works_on_a_server_as_it_stands(server, request, tmp_path, monkeypatch):
    running = request.getfixturevalue(server)
    url = running.make_database()
    original = unpack(RELEASE, tmp_path / RELEASE)
    copy(original.database, url)
    before = dump(url)
    config = original.folder / "backy.cfg"
    text = config.read_text().replace("sqlite:///backy.sqlite", url.replace("%", "%%"))
    config.write_text(text.replace("encryption_version: 1", "encryption_version: 0"))
    monkeypatch.chdir(original.folder)
    site = Site(original)
    assert site.call("adopt")[0] == DAMAGE
    site.restores_to(original.good)
    (original.folder / "image").write_bytes(bytes(range(256)) * 1024)
    new = site.ok("-m", "backup", f"file://{original.folder / 'image'}", "vm-c").strip()
    assert site.restore(new) == (0, bytes(range(256)) * 1024)
    site.ok("rm", "-f", new)
    site.ok("cleanup", "-f")
    assert set(site.outcomes().values()) == {"here already"}
    assert dump(url) == before
    site.restores_to(original.good)
