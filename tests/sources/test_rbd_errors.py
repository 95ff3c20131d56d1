"""Whatever is wrong with a cluster, a pool, an image or a setting ends in a message that says what to do, never in a hang."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import BackyError, ConfigError, PluginError, SourceError, TargetError
from backy2_core.testing.outage import SilentServer
from backy2_plugins.ceph_modules import missing
from backy2_plugins.sources import rbd as plugin
from backy2_plugins.sources.rbd.ownership import check_pattern
from tests.sources.rbd_images import MIB, Pool, settings
from tests.support.ceph import Cluster, skip_without_ceph

NEW = TargetRequest(MIB, force=False, sparse=True)
SHORT = {"connect_timeout": 2.0, "mon_timeout": 2.0, "osd_timeout": 3.0}


@pytest.fixture(scope="module")
def guarded() -> Iterator[Cluster]:
    """A cluster in which clients must prove who they are."""
    skip_without_ceph()
    with Cluster(cephx=True) as cluster:
        cluster.make_pool("vms")
        cluster.run("rbd", "create", "--size", "4M", "vms/vm1")
        cluster.run("rbd", "snap", "create", "vms/vm1@monday")
        yield cluster


def _message(kind: type[BackyError], url: str, values: dict[str, Any]) -> str:
    with pytest.raises(kind) as raised:
        plugin.backy2_open_source(url, values).close()
    assert url in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "rbd://pool",
        "rbd://",
        "rbd:///image",
        "rbd://a/b/c/d",
        "rbd://pool/image@",
        "rbd://pool/image@a@b",
        "rbd://a//b",
    ],
)
def test_a_url_of_another_form(url: str) -> None:
    with pytest.raises(SourceError, match="expected rbd://POOL/IMAGE"):
        plugin.backy2_open_source(url, {s.name: s.default for s in plugin.backy2_settings()})


def test_names_that_are_not_there(pool: Pool, spaced_pool: Pool) -> None:
    values, image = settings(pool.cluster), pool.image(MIB)
    assert "ceph osd pool ls" in _message(SourceError, "rbd://nopool/x", values)
    assert f"there is no image x; see `rbd ls {pool.name}`" in _message(SourceError, pool.url("x"), values)
    assert f"rbd snap ls {pool.name}/{image.name}" in _message(SourceError, f"{image.url}@x", values)
    assert "there is no namespace nobody" in _message(SourceError, pool.url("nobody/x"), values)
    assert f"rbd ls {pool.name}/tenant" in _message(SourceError, spaced_pool.url("x"), values)


def test_snapshots_that_are_not_of_people_are_called_what_they_are(pool: Pool) -> None:
    values, image, cluster = settings(pool.cluster), pool.image(MIB), pool.cluster
    group = f"{pool.name}/group-of-{image.name}"
    cluster.run("rbd", "group", "create", group)
    cluster.run("rbd", "group", "image", "add", group, f"{pool.name}/{image.name}")
    cluster.run("rbd", "group", "snap", "create", f"{group}@monday")
    (of_group,) = image.names()
    message = _message(SourceError, f"{image.url}@{of_group}", values)
    assert "this snapshot is of a group of images" in message
    assert f"`rbd snap ls --all {pool.name}/{image.name}`" in message
    image.take("gone")
    image.move_to_trash("gone")
    (in_trash,) = {*image.names()} - {of_group}
    assert "one that was removed, in the trash" in _message(SourceError, f"{image.url}@{in_trash}", values)
    assert f"has no snapshot gone; see `rbd snap ls {pool.name}/" in _message(SourceError, f"{image.url}@gone", values)


def test_a_snapshot_whose_making_was_interrupted_says_how_to_remove_it(pool: Pool) -> None:
    values, image = settings(pool.cluster), pool.image(MIB)
    image.take("monday")
    with image.opened(read_only=True) as opened:
        (told,) = opened.list_snaps()
        pool.ioctx.remove_object(f"rbd_object_map.{opened.id()}.{told['id']:016x}")
    message = _message(SourceError, f"{image.url}@monday", values)
    assert "its object map is not" in message
    pool.cluster.run(*re.findall(r"`(rbd snap rm [^`]*)`", message)[0].split())
    assert image.names() == []


def test_a_new_image_without_its_namespace_or_data_pool_names_what_is_missing(pool: Pool) -> None:
    def refused(path: str, **changed: Any) -> str:
        with pytest.raises(TargetError, match="cannot create") as raised:
            plugin.backy2_open_target(pool.url(path), settings(pool.cluster, **changed), NEW)
        return str(raised.value)

    message = refused("nons/x")
    assert f"there is no namespace nons in pool {pool.name}; see `rbd namespace ls {pool.name}`" in message
    assert "data pool" not in message
    message = refused("x", new_image_data_pool="nopool")
    assert "there is no pool nopool, which is new_image_data_pool in [source:rbd]; see `ceph osd pool ls`" in message
    assert "namespace" not in message
    (make,) = re.findall(r"`(rbd namespace create [^`]*)`", refused("nons/x", new_image_data_pool="nopool"))
    pool.cluster.run(*make.split())
    plugin.backy2_open_target(pool.url("nons/x"), settings(pool.cluster), NEW).close()


def test_the_limit_of_snapshots_says_how_to_raise_it(pool: Pool) -> None:
    image = pool.image(MIB)
    path = f"{pool.name}/{image.name}"
    pool.cluster.run("rbd", "snap", "limit", "set", "--limit", "1", path)
    with image.snapshots() as snapshots:
        snapshots.create("one")
        with pytest.raises(SourceError, match="the limit of snapshots of this image is reached") as raised:
            snapshots.create("two")
        raised.match(f"`ceph osd pool get-quota {pool.name}`")
        (raising,) = re.findall(r"`(rbd snap limit set [^`]*)`", str(raised.value))
        pool.cluster.run(*raising.replace(" N ", " 2 ").split())
        snapshots.create("two")


def test_no_configuration_of_a_cluster(pool: Pool, tmp_path: Path) -> None:
    values = settings(pool.cluster, ceph_conffile=str(tmp_path / "none.conf"))
    assert "none.conf is missing or not readable; set ceph_conffile" in _message(SourceError, pool.url("x"), values)
    values = settings(pool.cluster, keyring=str(tmp_path / "none.keyring"))
    assert "none.keyring is missing or not readable; set keyring" in _message(SourceError, pool.url("x"), values)


def test_a_user_without_a_key(guarded: Cluster) -> None:
    values = settings(guarded, rados_name="nobody", **SHORT)
    assert "as client.nobody" in _message(SourceError, "rbd://vms/vm1", values)


def test_a_user_whose_key_is_not_known(guarded: Cluster, tmp_path: Path) -> None:
    key = guarded.run("ceph-authtool", "--gen-print-key").strip()
    keyring = tmp_path / "keyring"
    keyring.write_text(f"[client.stranger]\n\tkey = {key}\n")
    values = settings(guarded, rados_name="client.stranger", keyring=str(keyring), **SHORT)
    assert "check rados_name and keyring" in _message(SourceError, "rbd://vms/vm1", values)


def test_reading_needs_no_more_than_the_profile_for_reading(guarded: Cluster) -> None:
    keyring = guarded.make_user(
        "client.reader", {"mon": "profile rbd-read-only", "osd": "profile rbd-read-only pool=vms"}
    )
    values = settings(guarded, rados_name="client.reader", keyring=str(keyring))
    with plugin.backy2_open_source("rbd://vms/vm1@monday", values) as source:
        assert list(source.allocated()) == []
    assert plugin.backy2_list_sources("rbd://vms/*", values) == ["rbd://vms/vm1"]
    with plugin.backy2_open_snapshots("rbd://vms/vm1", values) as snapshots:
        assert [snapshot.name for snapshot in snapshots.list()] == ["monday"]
        with pytest.raises(SourceError, match="lacks the caps"):
            snapshots.create("mark")
        assert [snapshot.name for snapshot in snapshots.list()] == ["monday"]
    with pytest.raises(TargetError, match="lacks the caps"):
        plugin.backy2_open_target("rbd://vms/restored", values, NEW)


def test_snapshots_and_restores_need_no_more_than_the_profile_rbd(guarded: Cluster) -> None:
    keyring = guarded.make_user("client.backup", {"mon": "profile rbd", "osd": "profile rbd pool=vms"})
    values = settings(guarded, rados_name="client.backup", keyring=str(keyring))
    with plugin.backy2_open_snapshots("rbd://vms/vm1", values) as snapshots:
        older, newer = snapshots.create("one"), snapshots.create("two")
        assert list(snapshots.changes(older, newer).extents) == []
        snapshots.remove(older)
        snapshots.remove(newer)
    with plugin.backy2_open_target("rbd://vms/restored", values, NEW) as target:
        target.write(0, memoryview(b"x"))
        target.flush()


def test_a_user_of_another_pool_is_told(guarded: Cluster) -> None:
    guarded.make_pool("other")
    keyring = guarded.make_user("client.other", {"mon": "profile rbd", "osd": "profile rbd pool=other"})
    values = settings(guarded, rados_name="client.other", keyring=str(keyring))
    assert "lacks the caps" in _message(SourceError, "rbd://vms/vm1", values)


def test_who_has_rights_in_one_namespace_only_is_told_whether_it_is_there(guarded: Cluster) -> None:
    guarded.run("rbd", "namespace", "create", "vms/lonely")
    for namespace, told in (
        ("lonely", "none in namespace lonely of pool vms"),
        ("absent", "no namespace absent in pool vms"),
    ):
        user = f"client.{namespace}"
        keyring = guarded.make_user(user, {"mon": "profile rbd", "osd": f"profile rbd pool=vms namespace={namespace}"})
        values = settings(guarded, rados_name=user, keyring=str(keyring))
        with pytest.raises(SourceError, match=told):
            plugin.backy2_list_sources(f"rbd://vms/{namespace}/*", values)


def test_a_monitor_that_does_not_answer(tmp_path: Path) -> None:
    skip_without_ceph()
    with SilentServer() as server:
        conf = tmp_path / "ceph.conf"
        conf.write_text(f"[global]\nmon_host = v2:{server.host}:{server.port}\nauth_client_required = none\n")
        values = {s.name: s.default for s in plugin.backy2_settings()} | SHORT | {"ceph_conffile": str(conf)}
        began = time.monotonic()
        assert "did not answer in time" in _message(SourceError, "rbd://vms/vm1", values)
        assert time.monotonic() - began < 20


def test_an_osd_that_does_not_answer(own_ceph: Cluster) -> None:
    name = own_ceph.make_pool()
    values = settings(own_ceph, **SHORT)
    with plugin.backy2_open_target(f"rbd://{name}/vm1", values, NEW) as target:
        target.write(0, memoryview(b"content"))
        target.flush()
    own_ceph.run("rbd", "snap", "create", f"{name}/vm1@monday")
    url = f"rbd://{name}/vm1@monday"
    with plugin.backy2_open_source(url, values) as source:
        with plugin.backy2_open_target(f"rbd://{name}/new", values, NEW) as target:
            own_ceph.kill_osd()
            began = time.monotonic()
            with pytest.raises(SourceError, match="did not answer in time") as raised:
                source.read_into(0, memoryview(bytearray(4096)))
            assert raised.value.retryable
            with pytest.raises(TargetError, match="did not answer in time"):
                target.write(0, memoryview(b"x" * 4096))
            assert "did not answer in time" in _message(SourceError, url, values)
            with pytest.raises(
                TargetError, match=f"cannot open rbd://{name}/vm1 for writing: .*did not answer in time"
            ):
                plugin.backy2_open_target(f"rbd://{name}/vm1", values, TargetRequest(MIB, force=True, sparse=True))
            assert time.monotonic() - began < 30
            own_ceph.start_osd()
        source.read_into(0, memoryview(bytearray(4096)))


def test_the_library_prints_nothing_of_its_own(pool: Pool) -> None:
    code = (
        "import sys, ast\n"
        "from backy2_plugins.sources import rbd\n"
        "from backy2_core.errors import SourceError\n"
        "try:\n"
        "    rbd.backy2_open_source(sys.argv[1], ast.literal_eval(sys.argv[2]))\n"
        "except SourceError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, pool.url("x"), repr(settings(pool.cluster))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout.count("\n"), ended.stderr) == (1, "")


def test_reading_goes_on_once_a_killed_osd_is_back(own_ceph: Cluster) -> None:
    """It comes back in another place, of which a client hears only if it asks before it gives up."""
    name = own_ceph.make_pool()
    values = settings(own_ceph, **SHORT | {"osd_timeout": 1.0})
    with plugin.backy2_open_target(f"rbd://{name}/vm1", values, NEW) as target:
        target.write(0, memoryview(b"content"))
        target.flush()
    own_ceph.run("rbd", "snap", "create", f"{name}/vm1@monday")
    buffer = memoryview(bytearray(7))
    with plugin.backy2_open_source(f"rbd://{name}/vm1@monday", values) as source:
        own_ceph.kill_osd()
        for _ in range(3):
            with pytest.raises(SourceError, match="did not answer in time"):
                source.read_into(0, buffer)
        own_ceph.start_osd()
        deadline = time.monotonic() + 10
        while bytes(buffer) != b"content":
            with suppress(SourceError):
                source.read_into(0, buffer)
            assert time.monotonic() < deadline


def test_a_missing_library_names_the_packages_and_their_python(tmp_path: Path) -> None:
    error = ImportError("No module named 'rbd'")
    assert "install the packages python3-rbd and python3-rados" in missing("rbd", "source rbd", error, tmp_path)
    (tmp_path / "rbd.cpython-39-x86_64-linux-gnu.so").touch()
    assert "is for Python 3.9" in missing("rbd", "source rbd", error, tmp_path)
    (tmp_path / "rbd.cpython-39-x86_64-linux-gnu.so").unlink()
    (tmp_path / f"rbd.cpython-3{sys.version_info.minor}-x86_64-linux-gnu.so").touch()
    assert f"link rbd.cpython-*.so from {tmp_path}" in missing("rbd", "source rbd", error, tmp_path)


def test_the_settings_are_told_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rbd", None)
    monkeypatch.setitem(sys.modules, "rados", None)
    values = {s.name: s.default for s in plugin.backy2_settings()}
    with pytest.raises(PluginError, match="python3-rados"):
        plugin.backy2_open_source("rbd://pool/image", values)


@pytest.mark.parametrize(
    "pattern", ["backy2", "{mark}/{date}", "a b{mark}", "x@{mark}", "{mark}{mark}", "{mark}{time}"]
)
def test_a_pattern_that_makes_no_good_names_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError, match="snapshot_name"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "changed",
    [
        {"new_image_object_size": 5000},
        {"new_image_object_size": 64 * MIB},
        {"new_image_features": ("layering", "magic")},
    ],
)
def test_settings_of_new_images_that_cannot_be(pool: Pool, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="new_image"):
        plugin.backy2_open_target(pool.url("new"), settings(pool.cluster, **changed), NEW)
