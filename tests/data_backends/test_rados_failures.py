"""What the data backend ``rados`` says when a cluster refuses or is silent: one error, in time, with the next step."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from backy2_core.errors import (
    BlobDamagedError,
    BlobNotFoundError,
    ConfigError,
    DataBackendError,
)
from backy2_core.model.blob import BlobUid
from backy2_core.testing.data_backend_base import content_of, listed, new_uid, put, put_new, read
from backy2_plugins.data_backends.rados.backend import RadosDataBackend
from backy2_plugins.data_backends.rados.settings import SETTINGS, RadosOptions, options_of
from tests.data_backends.rados_stores import KIB, MIB, open_store
from tests.support.ceph import Cluster, skip_without_ceph

CAPS = {"mon": "allow r", "osd": "allow rw pool=p namespace=n, allow rw pool=p namespace=n.*"}
DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


@pytest.fixture(scope="module")
def pool(ceph: Cluster) -> str:
    return ceph.make_pool()


@contextmanager
def refused(pattern: str, *, retryable: bool = False) -> Iterator[None]:
    """Expects an error that says this."""
    with pytest.raises(DataBackendError, match=pattern) as caught:
        yield
    assert caught.value.retryable == retryable
    assert not isinstance(caught.value, BlobNotFoundError | BlobDamagedError)


def test_a_namespace_with_a_dot_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"namespace: 'a\.parts' cannot be one"):
        options_of(DEFAULTS | {"namespace": "a.parts"})


def test_a_user_may_be_written_without_client() -> None:
    assert options_of(DEFAULTS | {"rados_name": "backy2"}).user == "client.backy2"
    assert options_of(DEFAULTS | {"rados_name": "client.backy2"}).user == "client.backy2"


def test_a_missing_conf_file_is_named(tmp_path: Path) -> None:
    skip_without_ceph()
    with refused(f"{tmp_path}/no.conf: No such file.*ceph_conffile"):
        RadosDataBackend(RadosOptions("p", conf_file=str(tmp_path / "no.conf")))


@pytest.mark.parametrize("monitors", ["", "mon_host = no.such.host.invalid"])
def test_missing_monitors_are_named(ceph: Cluster, tmp_path: Path, monitors: str) -> None:
    conf = tmp_path / "ceph.conf"
    conf.write_text(f"[global]\n{monitors}\nkeyring = {ceph.keyring}\n")
    with refused(f"monitors were not found; expected their addresses as mon_host in {conf}.*{monitors[11:]}"):
        RadosDataBackend(RadosOptions("p", conf_file=str(conf)))


def test_a_missing_pool_is_named_with_the_command_that_makes_it(ceph: Cluster) -> None:
    with refused("there is no pool nowhere.*ceph osd pool create nowhere"):
        open_store(ceph, "nowhere")


def test_a_pool_that_was_deleted_has_no_missing_blobs(ceph: Cluster) -> None:
    pool = ceph.make_pool()
    with open_store(ceph, pool) as store:
        uid, deadline = put_new(store), time.monotonic() + 60
        ceph.order("osd pool delete", pool=pool, pool2=pool, yes_i_really_really_mean_it=True)
        # Until the OSD has heard of it, it answers as before.
        with refused(f"there is no pool {pool}"):
            while time.monotonic() < deadline:
                read(store, uid)
        for call in (
            lambda: read(store, new_uid()),
            lambda: store.stored_size(new_uid()),
            lambda: store.delete([new_uid()]),
            lambda: listed(store),
            lambda: list(store.list_documents("")),
            lambda: store.read_document("missing"),
            lambda: put_new(store),
            lambda: store.create_document("a", b""),
        ):
            with refused(f"there is no pool {pool}"):
                call()


def test_a_blob_that_was_lengthened_is_damaged(ceph: Cluster) -> None:
    pool = ceph.make_pool()
    with open_store(ceph, pool) as store:
        uid = put_new(store, 100)
        with pytest.raises(BlobDamagedError, match=f"{uid}.*100 bytes; expected at most 99"):
            read(store, uid, 99)


def test_a_blob_whose_part_is_gone_is_damaged(ceph: Cluster) -> None:
    pool = ceph.make_pool()
    with open_store(ceph, pool, object_size=500) as store:
        uid = put_new(store, 1200)
        objects = ceph.run("rados", "--pool", pool, "--namespace", "backy2.parts", "ls").split()
        assert len(objects) == 3
        ceph.run("rados", "--pool", pool, "--namespace", "backy2.parts", "rm", sorted(objects)[1])
        with pytest.raises(BlobDamagedError, match=rf"{uid}\.[0-9a-f]+\.0001.*missing, or not 500 bytes"):
            read(store, uid)


@pytest.mark.parametrize("uid", ["", "abc", "ab/cd", "abcd.large", "abcd\0", "abcdé", "a" * 300])
def test_a_uid_that_is_none_reaches_no_object(ceph: Cluster, pool: str, uid: str) -> None:
    with open_store(ceph, pool) as store:
        for call in (
            lambda: put(store, BlobUid(uid), b""),
            lambda: read(store, BlobUid(uid)),
            lambda: store.stored_size(BlobUid(uid)),
            lambda: store.delete([BlobUid(uid)]),
        ):
            with refused("cannot be the uid of a blob"):
                call()


def test_a_full_pool_refuses_in_time_and_can_be_tidied_up() -> None:
    skip_without_ceph()
    with Cluster(size_bytes=4 * 1024 * MIB) as cluster, open_store(cluster, cluster.make_pool()) as store:
        uids = [put_new(store, MIB) for _ in range(40)]
        store.write_document("a", b"a long text")
        for ratio, which in ((0.001, "nearfull"), (0.0015, "backfillfull"), (0.002, "full")):
            cluster.order(f"osd set-{which}-ratio", ratio=ratio)
        began = time.monotonic()
        with refused("store blob .* pool pool1 is full; add OSDs, or remove versions and run a cleanup"):
            while time.monotonic() < began + 60:
                uids.append(put_new(store, 4 * KIB))
        with refused("write document b .*is full"):
            store.write_document("b", b"longer")
        assert read(store, uids[0], MIB) == content_of(uids[0], MIB)
        store.delete(uids)
        assert listed(store) == {}


def test_a_dead_cluster_is_given_up_in_time_by_every_call(own_ceph: Cluster) -> None:
    with open_store(own_ceph, own_ceph.make_pool(), timeout_s=1) as store:
        uid = put_new(store)
        own_ceph.kill_osd()
        own_ceph.kill_mon()
        with refused("store blob .* did not answer within 1 s; see `ceph -s`", retryable=True):
            put_new(store)
        with refused(f"read blob {uid} .* did not answer within 1 s", retryable=True):
            read(store, uid)
        with refused("could not connect .*did not answer within 1 s", retryable=True):
            open_store(own_ceph, "pool1", timeout_s=1)
        began = time.monotonic()
    assert time.monotonic() < began + 5, "closing waited"


def test_a_listing_goes_on_where_an_outage_stopped_it(own_ceph: Cluster) -> None:
    with open_store(own_ceph, own_ceph.make_pool(), timeout_s=1) as store:
        with ThreadPoolExecutor(8) as pool:
            uids = set(pool.map(lambda _: put_new(store, 10), range(1300)))
        rows = store.list_blobs()
        seen = [next(rows).uid]
        own_ceph.kill_osd()
        with refused("list every blob|look at blob", retryable=True):
            seen.extend(row.uid for row in rows)
        own_ceph.start_osd()
        failed, deadline = True, time.monotonic() + 60
        while failed and time.monotonic() < deadline:
            with suppress(DataBackendError):
                seen.extend(row.uid for row in rows)
                failed = False
        assert len(seen) == len(set(seen))
        assert set(seen) == uids


class TestUsers:
    """With cephx, where a user may do what his caps allow."""

    @pytest.fixture(scope="class")
    @classmethod
    def cluster(cls) -> Iterator[Cluster]:
        skip_without_ceph()
        with Cluster(cephx=True) as cluster:
            cluster.make_pool("p")
            cluster.make_pool("q")
            yield cluster

    @staticmethod
    def _open(cluster: Cluster, tmp_path: Path, user: str, keyring: str | Path, **more: str) -> RadosDataBackend:
        conf = tmp_path / "ceph.conf"
        conf.write_text(re.sub(r"keyring = .*", f"keyring = {keyring}", cluster.conf.read_text()))
        options = {"pool": "p", "namespace": "n"} | more
        return RadosDataBackend(RadosOptions(conf_file=str(conf), user=user, timeout_s=5, object_size=500, **options))

    def test_these_caps_suffice(self, cluster: Cluster, tmp_path: Path) -> None:
        keyring = cluster.make_user("client.enough", CAPS)
        with self._open(cluster, tmp_path, "client.enough", keyring) as store:
            uids = [put_new(store, size) for size in (10, 2000)]
            assert {read(store, uid) for uid in uids} == {content_of(uids[0], 10), content_of(uids[1], 2000)}
            assert listed(store).keys() == set(uids)
            store.delete(uids)
            assert listed(store) == {}
            assert store.create_document("a", b"1")
            store.write_document("a", b"2")
            assert (store.read_document("a"), list(store.list_documents(""))) == (b"2", ["a"])
            store.delete_document("a")

    @pytest.mark.parametrize(
        ("name", "osd", "call"),
        [
            ("readonly", "allow r pool=p", put_new),
            ("readonly", "allow r pool=p", lambda store: store.delete([new_uid()])),
            ("writeonly", "allow w pool=p", lambda store: read(store, new_uid())),
            ("writeonly", "allow w pool=p", listed),
            ("noparts", "allow rw pool=p namespace=n", lambda store: put_new(store, 2000)),
            ("nodocuments", "allow rw pool=p namespace=n", lambda store: store.read_document("a")),
            ("elsewhere", "allow rw pool=q", put_new),
        ],
    )
    def test_fewer_do_not(self, cluster: Cluster, tmp_path: Path, name: str, osd: str, call) -> None:
        user = f"client.{name}"
        keyring = cluster.make_user(user, {"mon": "allow r", "osd": osd})
        with (
            self._open(cluster, tmp_path, user, keyring) as store,
            refused(
                f"{user} may not; it needs mon 'allow r' osd '{re.escape(CAPS['osd'])}'.*`ceph auth get {user}`.* replaces"
            ),
        ):
            call(store)

    def test_caps_are_added_to_those_that_a_user_has(self, cluster: Cluster, tmp_path: Path) -> None:
        """The order that gives caps takes all others away, as from one user for images and store."""
        user, others = "client.both", "profile rbd pool=q"
        keyring = cluster.make_user(user, {"mon": "profile rbd", "osd": others})
        with self._open(cluster, tmp_path, user, keyring) as store, pytest.raises(DataBackendError) as raised:
            put_new(store)
        message = str(raised.value)
        assert re.findall(r"`(ceph auth [^`]*)`", message) == [f"ceph auth get {user}", f"ceph auth caps {user}"]
        assert re.search("Add what is missing to the caps .* replaces those that it has", message)
        (needed,) = re.findall("osd '([^']*)'", message)
        cluster.run("ceph", "auth", "caps", user, "mon", "profile rbd", "osd", f"{others}, {needed}")
        with self._open(cluster, tmp_path, user, keyring) as store:
            uid = put_new(store, 2000)
            assert listed(store) == {uid: 2000}
            store.delete([uid])
        assert others in cluster.run("ceph", "auth", "get", user)

    def test_without_rights_at_the_monitor_there_is_no_way_in(self, cluster: Cluster, tmp_path: Path) -> None:
        keyring = cluster.make_user("client.nomon", {"osd": CAPS["osd"]})
        with refused("could not connect .*client.nomon"):
            self._open(cluster, tmp_path, "client.nomon", keyring)

    def test_a_missing_key_is_named_with_its_place(
        self, cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with refused(f"no key was found; expected one in {tmp_path}/no.keyring.*ceph auth get-or-create client.x"):
            self._open(cluster, tmp_path, "client.x", tmp_path / "no.keyring")
        assert capfd.readouterr() == ("", "")

    def test_a_key_that_is_none_is_named(self, cluster: Cluster, tmp_path: Path) -> None:
        (tmp_path / "k").write_text("hello\n")
        with refused("the key in .*/k cannot be read"):
            self._open(cluster, tmp_path, "client.x", tmp_path / "k")

    def test_an_unknown_user_is_named(self, cluster: Cluster, tmp_path: Path) -> None:
        keyring = tmp_path / "k"
        keyring.write_text("[client.nobody]\n\tkey = AQBPOqNmAAAAABAAfM7mPqIFKvRXB3bGJzSmTw==\n")
        with refused("does not know this user, or the key in .*/k is not his"):
            self._open(cluster, tmp_path, "client.nobody", keyring)

    def test_what_only_readers_may_do_is_done_for_them(self, cluster: Cluster, tmp_path: Path) -> None:
        writer = cluster.make_user("client.writer", CAPS)
        with self._open(cluster, tmp_path, "client.writer", writer) as store:
            uid = put_new(store, 2000)
        reader = cluster.make_user(
            "client.reader", {"mon": "allow r", "osd": CAPS["osd"].replace("allow rw", "allow r")}
        )
        with self._open(cluster, tmp_path, "client.reader", reader) as store:
            assert read(store, uid) == content_of(uid, 2000)
            assert listed(store) == {uid: 2000}
