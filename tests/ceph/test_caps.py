"""With cephx on, the caps that are documented suffice, and without any one of them there is a clear message."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ceph.caps import (
    NEEDS,
    NIGHTLY,
    NIGHTLY_DATA,
    NIGHTLY_SPACE,
    NIGHTLY_STRICT,
    READING,
    RESTORING,
    RESTORING_DATA,
    STORE,
    Need,
)
from tests.ceph.world import Ended, World, own_pool
from tests.sources.rbd_images import MIB, Image, Pool
from tests.support.ceph import Cluster, skip_without_ceph

SPACE = "tenant"
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster where clients have to prove who they are."""
    skip_without_ceph()
    with Cluster(cephx=True) as found:
        yield found


@pytest.fixture(scope="module")
def pool(cluster: Cluster) -> Iterator[Pool]:
    """The pool of the images; ``cluster`` is the administrator's."""
    with own_pool(cluster) as found:
        cluster.run("rbd", "namespace", "create", f"{found.name}/{SPACE}")
        yield found


@pytest.fixture(scope="module")
def data_pool(cluster: Cluster) -> str:
    """The pool for the data of images."""
    return cluster.make_pool()


@pytest.fixture(scope="module")
def store_pool(cluster: Cluster) -> str:
    """The pool of the data backend."""
    return cluster.make_pool()


@pytest.fixture(scope="module")
def vm(pool: Pool) -> Image:
    """An image with a snapshot that somebody made."""
    image = pool.image(2 * MIB, order=18)
    image.write(0, b"content" * 100_000)
    image.take("theirs")
    return image


class Users:
    """Makes users, and an installation for each."""

    def __init__(self, folder: Path, pool: Pool, data_pool: str, store_pool: str) -> None:
        self.pool = pool
        self._names = {"POOL": pool.name, "DATA": data_pool, "SPACE": SPACE, "STORE": store_pool}
        self._folder = folder

    def world(self, need: Need, *, without: int | None = None, mon: str | None = None, source: str = "") -> World:
        """The installation of a user with these caps, but for one of them."""
        number = next(_NUMBERS)
        osd = ", ".join(self._named(cap) for place, cap in enumerate(need.osd) if place != without)
        caps = {"mon": need.mon if mon is None else mon} | ({"osd": osd} if osd else {})
        user = f"client.user{number}"
        keyring = self.pool.cluster.make_user(user, {key: value for key, value in caps.items() if value})
        folder = self._folder / user
        folder.mkdir()
        return World(folder, self.pool, source=f"rados_name = {user}\nkeyring = {keyring}\n{source}")

    def _named(self, cap: str) -> str:
        for word, name in self._names.items():
            cap = cap.replace(word, name)
        return cap


@pytest.fixture
def users(tmp_path: Path, pool: Pool, data_pool: str, store_pool: str) -> Users:
    """Users of the cluster."""
    return Users(tmp_path, pool, data_pool, store_pool)


def test_every_need_is_tested() -> None:
    tested = [READING, NIGHTLY, NIGHTLY_SPACE, NIGHTLY_DATA, NIGHTLY_STRICT, RESTORING, RESTORING_DATA, STORE]
    assert list(NEEDS) == tested
    assert all(len(need.osd) == len(need.missing) for need in NEEDS)


def test_snapshots_of_others_are_backed_up_by_who_may_read(users: Users, vm: Image) -> None:
    def night(world: World) -> Ended:
        return world.call("backup", f"{vm.url}@theirs", "vm")

    assert night(users.world(READING)).err.count("WARNING") == 0
    for without, code in enumerate(READING.missing):
        _expect_refused(night(users.world(READING, without=without)), code)
    _expect_refused(night(users.world(READING, mon="")), 12)


@pytest.mark.parametrize("need", [NIGHTLY, NIGHTLY_STRICT], ids=["plain", "strict"])
def test_nights_need_what_is_documented(users: Users, vm: Image, need: Need) -> None:
    _expect_nights(users.world(need), vm.url, vm)
    for without, code in enumerate(need.missing):
        if code:
            _expect_refused(_two_nights(users.world(need, without=without), vm.url), code)
        else:
            ended = _two_nights(users.world(need, without=without), vm.url)
            assert ended.code == 0
            assert "is not needed any more, but cannot be removed" in ended.err
    _expect_refused(_two_nights(users.world(need, mon=""), vm.url), 12)
    _remove_own(vm)


def test_who_may_only_make_snapshots_cannot_write_into_images(users: Users, vm: Image) -> None:
    world = users.world(NIGHTLY_STRICT)
    world.ok("backup", vm.url, "vm")
    before = world.exported(vm.name)
    for url in (users.pool.url("other"), vm.url):
        _expect_refused(world.call("restore", "--force", "latest:vm", url), 13)
    assert world.exported(vm.name) == before
    _remove_own(vm)


def test_nights_in_a_namespace_need_what_is_documented(users: Users) -> None:
    path = f"{users.pool.name}/{SPACE}/vm"
    users.pool.cluster.run("rbd", "create", "--size", "1M", path)
    assert _two_nights(users.world(NIGHTLY_SPACE), f"rbd://{path}").err.count("WARNING") == 0
    _expect_refused(_two_nights(users.world(NIGHTLY_SPACE, without=0), f"rbd://{path}"), 12)


def test_nights_of_images_with_a_data_pool_need_what_is_documented(users: Users, data_pool: str) -> None:
    image = users.pool.image(MIB, order=18, data_pool=data_pool)
    image.write(0, b"content" * 1000)
    _expect_nights(users.world(NIGHTLY_DATA), image.url, image)
    for without, code in enumerate(NIGHTLY_DATA.missing):
        _expect_refused(_two_nights(users.world(NIGHTLY_DATA, without=without), image.url), code)


@pytest.mark.parametrize("need", [RESTORING, RESTORING_DATA], ids=["plain", "data-pool"])
def test_restores_need_what_is_documented(users: Users, vm: Image, data_pool: str, need: Need) -> None:
    source = "" if need is RESTORING else f"new_image_data_pool = {data_pool}"

    def restore(world: World) -> Ended:
        file = world.folder / "file"
        file.write_bytes(b"content" * 1000)
        world.ok("backup", f"file://{file}", "file")
        url = users.pool.url(users.pool.new_name())
        ended = world.call("restore", "latest:file", url)
        return ended if ended.code else world.call("restore", "--force", "latest:file", url)

    assert restore(users.world(need, source=source)).code == 0
    for without, code in enumerate(need.missing):
        _expect_refused(restore(users.world(need, without=without, source=source)), code)
    _expect_refused(restore(users.world(need, mon="", source=source)), 13)


def test_the_store_needs_what_is_documented(users: Users, store_pool: str) -> None:
    def use(world: World) -> Ended:
        _move_store(world, store_pool)
        file = world.folder / "file"
        file.write_bytes(b"content" * 100_000)
        ended = world.call("backup", f"file://{file}", "file")
        return ended if ended.code else world.call("restore", "latest:file", f"file://{world.folder}/restored")

    assert use(users.world(STORE)).code == 0
    for without, code in enumerate(STORE.missing):
        _expect_refused(use(users.world(STORE, without=without)), code)
    _expect_refused(use(users.world(STORE, mon="")), 14)


def _two_nights(world: World, url: str) -> Ended:
    ended = world.call("backup", url, "vm")
    return ended if ended.code else world.call("backup", url, "vm")


def _expect_nights(world: World, url: str, image: Image) -> None:
    ended = _two_nights(world, url)
    assert (ended.code, ended.err.count("WARNING")) == (0, 0), ended.err
    assert sum(name.startswith("backy2-") for name in image.names()) == 1


def _expect_refused(ended: Ended, code: int) -> None:
    """One error, which says that it is about rights."""
    assert ended.code == code, ended.err
    errors = [line for line in ended.err.splitlines() if "ERROR" in line]
    assert len(errors) == 1, ended.err
    assert any(words in errors[0] for words in ("caps", "refuses this user", "`ceph auth get")), errors


def _remove_own(image: Image) -> None:
    for name in image.names():
        if name.startswith("backy2-"):
            image.drop(name)


def _move_store(world: World, pool: str) -> None:
    """Configure the data backend ``rados`` for the user of the installation; his keyring is named by a ceph.conf of his own."""
    config, conf = world.folder / "plugins.cfg", world.folder / "ceph.conf"
    text, _, access = config.read_text().partition("[source:rbd]")
    settings = dict(line.split(" = ") for line in access.split("\n") if line)
    cluster = world.pool.cluster
    conf.write_text(cluster.conf.read_text().replace(str(cluster.keyring), settings["keyring"]))
    store = f"type = rados\npool = {pool}\nceph_conffile = {conf}\nrados_name = {settings['rados_name']}"
    config.write_text(text.replace(f"type = file\npath = {world.folder}/store", store))
