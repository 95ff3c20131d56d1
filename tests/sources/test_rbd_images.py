"""Images and snapshots of RBD as a whole: whose they are, what a restore makes, what a pattern means."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from backy2_core.contracts.source import TargetRequest
from backy2_core.errors import SourceError, TargetError
from backy2_core.model.extent import Extent
from backy2_plugins.sources import rbd as plugin
from backy2_plugins.sources.rbd import ownership
from tests.sources.rbd_images import FEATURES, KIB, MIB, Image, Pool, feature_bits, settings

NOW = datetime.now(UTC)


def _clone(pool: Pool, parent: Image, snapshot: str) -> Image:
    import rbd

    name = f"{parent.name}-clone"
    rbd.RBD().clone(pool.ioctx, parent.name, snapshot, pool.ioctx, name, features=feature_bits(*FEATURES))
    return Image(pool, name)


def test_only_what_is_allocated_is_told_and_whole_objects_of_it(pool: Pool) -> None:
    image = pool.image(64 * MIB)
    image.write(5 * MIB, b"x")
    image.write(40 * MIB, b"x" * 5 * MIB)
    image.take("monday")
    with image.source("monday") as source:
        assert list(source.allocated()) == [Extent(4 * MIB, 4 * MIB), Extent(40 * MIB, 8 * MIB)]


def test_what_was_removed_or_cut_while_it_was_read_is_denied(pool: Pool) -> None:
    image = pool.image(64 * MIB)
    image.take("monday")
    image.take("tuesday")
    with image.source("monday") as monday, image.source("tuesday") as tuesday, image.source() as now:
        for source in (monday, tuesday, now):
            source.confirm()
        image.drop("monday")
        with pytest.raises(SourceError, match="@monday was removed"):
            monday.confirm()
        tuesday.confirm()
        image.resize(32 * MIB)
        tuesday.confirm()
        with pytest.raises(SourceError, match="made smaller"):
            now.confirm()
        image.recreate(64 * MIB)
        for source in (tuesday, now):
            with pytest.raises(SourceError, match="not there any more"):
                source.confirm()


def test_an_image_of_no_bytes(pool: Pool) -> None:
    image = pool.image(0)
    with image.snapshots() as snapshots:
        older, newer = snapshots.create("one"), snapshots.create("two")
        assert list(snapshots.changes(older, newer).extents) == []
    with image.source(newer.name) as source:
        assert (source.size_bytes, list(source.allocated())) == (0, [])


def test_the_name_of_an_own_snapshot_tells_date_and_mark(pool: Pool) -> None:
    with pool.image(MIB).snapshots() as snapshots:
        made = snapshots.create("abc")
    assert made.name.startswith(f"backy2-{made.created:%Y%m%dT%H%M}")
    assert made.name.endswith("-abc")


def test_a_name_alone_makes_no_snapshot_our_own(pool: Pool) -> None:
    image = pool.image(MIB)
    with image.snapshots() as snapshots:
        image.take("backy2-20260101T000000Z-abc")
        (found,) = snapshots.list()
        assert not found.own
        with pytest.raises(SourceError, match="not made by backy2"):
            snapshots.remove(found)
    assert image.names() == [found.name]


def test_a_snapshot_of_the_same_name_on_a_clone_is_not_our_own(pool: Pool) -> None:
    image = pool.image(MIB)
    with image.snapshots() as snapshots:
        made = snapshots.create("abc")
    image.hold(made.name)
    clone = _clone(pool, image, made.name)
    clone.take(made.name)
    with clone.snapshots() as snapshots:
        assert [(s.name, s.own) for s in snapshots.list()] == [(made.name, False)]


def test_a_snapshot_that_a_clone_depends_on_is_not_moved_to_the_trash(pool: Pool) -> None:
    image = pool.image(MIB)
    pool.cluster.run("ceph", "osd", "set-require-min-compat-client", "mimic")
    with image.snapshots() as snapshots:
        made = snapshots.create("abc")
        clone = _clone(pool, image, made.name)
        with pytest.raises(SourceError, match=clone.name):
            snapshots.remove(made)
        assert image.names() == [made.name]


def test_snapshots_in_the_trash_are_not_listed(pool: Pool) -> None:
    image = pool.image(MIB)
    pool.cluster.run("ceph", "osd", "set-require-min-compat-client", "mimic")
    image.take("gone")
    _clone(pool, image, "gone")
    image.drop("gone")
    image.take("monday")
    assert len(image.names()) == 2
    with image.snapshots() as snapshots:
        assert [snapshot.name for snapshot in snapshots.list()] == ["monday"]


def test_a_removal_that_was_cut_short_is_finished_before_the_next_is_made(pool: Pool) -> None:
    image = pool.image(MIB)
    image.take("of-a-person")
    with image.snapshots() as snapshots:
        made, stays = snapshots.create("abc"), snapshots.create("def")
        image.move_to_trash("of-a-person", made.name)
        assert [snapshot.name for snapshot in snapshots.list()] == [stays.name]
        newest = snapshots.create("ghi")
        assert [snapshot.name for snapshot in snapshots.list()] == [stays.name, newest.name]
    assert len(image.names()) == 3, "one is gone, and that of a person still in the trash"
    with image.opened(read_only=True) as opened:
        assert ownership.marks(opened) == {stays.name: "def", newest.name: "ghi"}


def test_a_snapshot_in_the_trash_stays_while_a_clone_needs_it(pool: Pool) -> None:
    image = pool.image(MIB)
    pool.cluster.run("ceph", "osd", "set-require-min-compat-client", "mimic")
    with image.snapshots() as snapshots:
        made = snapshots.create("abc")
        _clone(pool, image, made.name)
        image.drop(made.name)
        newest = snapshots.create("def")
        assert [snapshot.name for snapshot in snapshots.list()] == [newest.name]
    assert len(image.names()) == 2


def test_a_protected_snapshot_says_how_to_free_it(pool: Pool) -> None:
    image = pool.image(MIB)
    with image.snapshots() as snapshots:
        made = snapshots.create("abc")
        image.hold(made.name)
        with pytest.raises(SourceError, match="rbd snap unprotect"):
            snapshots.remove(made)


def test_snapshots_are_made_and_removed_while_a_machine_writes(pool: Pool) -> None:
    image = pool.image(4 * MIB)
    with image.opened() as machine, image.snapshots() as snapshots:
        machine.write(b"x", 0)
        machine.flush()
        assert machine.is_exclusive_lock_owner()
        older = snapshots.create("one")
        machine.write(b"y" * 100, 2 * MIB)
        machine.flush()
        newer = snapshots.create("two")
        assert any(e.offset <= 2 * MIB < e.end for e in snapshots.changes(older, newer).extents)
        snapshots.remove(older)
        assert [s.name for s in snapshots.list()] == [newer.name]


def test_entries_of_snapshots_that_are_gone_are_forgotten_in_time(pool: Pool) -> None:
    image = pool.image(MIB)
    with image.opened() as opened:
        ownership.claim(opened, "old", "a", NOW - timedelta(days=3))
        ownership.claim(opened, "young", "b", NOW)
        opened.metadata_set("backy2.snapshot/copied", f"0123 c {NOW:%Y%m%dT%H%M%SZ}")
        opened.metadata_set("conf_rbd_cache", "false")
    with image.snapshots() as snapshots:
        made = snapshots.create("d")
        with image.opened(read_only=True) as opened:
            assert {key for key, _ in opened.metadata_list()} == {
                "backy2.snapshot/young",
                f"backy2.snapshot/{made.name}",
                "conf_rbd_cache",
            }
        snapshots.remove(made)
        with image.opened(read_only=True) as opened:
            assert made.name not in str(list(opened.metadata_list()))


def test_a_restore_makes_an_image_as_the_settings_say(pool: Pool) -> None:
    data_pool = pool.cluster.make_pool()
    values = settings(
        pool.cluster,
        new_image_features=("RBD_FEATURE_LAYERING", "exclusive-lock"),
        new_image_object_size=64 * KIB,
        new_image_data_pool=data_pool,
    )
    image = Image(pool, pool.new_name())
    request = TargetRequest(3 * MIB + 512, force=False, sparse=True)
    with plugin.backy2_open_target(image.url, values, request) as target:
        target.write(MIB, memoryview(b"content"))
        target.flush()
    with image.opened(read_only=True) as opened:
        assert (opened.size(), opened.stat()["obj_size"]) == (3 * MIB + 512, 64 * KIB)
        wanted = feature_bits("LAYERING", "EXCLUSIVE_LOCK", "DATA_POOL")
        assert opened.features() == wanted
    assert image.content()[MIB : MIB + 7] == b"content"


def test_sparse_zeros_give_back_the_objects_of_an_old_image(pool: Pool) -> None:
    image = pool.image(8 * MIB, order=20)
    image.write(0, random.Random(1).randbytes(8 * MIB))
    with image.target(TargetRequest(8 * MIB, force=True, sparse=True)) as target:
        target.zero(MIB, 6 * MIB)
        target.flush()
    with image.source() as source:
        assert list(source.allocated()) == [Extent(0, MIB), Extent(7 * MIB, MIB)]


@pytest.mark.parametrize("sparse", [False, True], ids=["full", "sparse"])
@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
def test_zeros_of_a_new_image_have_no_objects(pool: Pool, sparse: bool, force: bool) -> None:
    """It comes back as thin as it was, whether that was asked for or not."""
    image = Image(pool, pool.new_name())
    with image.target(TargetRequest(16 * MIB, force=force, sparse=sparse)) as target:
        target.write(5 * MIB, memoryview(b"data"))
        target.zero(0, 5 * MIB)
        target.zero(8 * MIB, 8 * MIB)
        target.flush()
    with image.source() as source:
        assert list(source.allocated()) == [Extent(4 * MIB, 4 * MIB)]
    (told,) = json.loads(pool.cluster.run("rbd", "du", "--format", "json", f"{pool.name}/{image.name}"))["images"]
    assert told["used_size"] == 4 * MIB
    assert image.content() == bytes(5 * MIB) + b"data" + bytes(11 * MIB - 4)


def test_zeros_of_an_old_image_have_their_objects_unless_sparse(pool: Pool) -> None:
    image = pool.image(8 * MIB)
    image.write(0, random.Random(2).randbytes(6 * MIB))
    with image.target(TargetRequest(8 * MIB, force=True, sparse=False)) as target:
        target.zero(0, 8 * MIB)
        target.flush()
    with image.source() as source:
        assert list(source.allocated()) == [Extent(0, 8 * MIB)]
    assert not any(image.content())


def test_an_image_in_use_is_not_overwritten(pool: Pool) -> None:
    image = pool.image(MIB)
    request = TargetRequest(MIB, force=True, sparse=True)
    with image.opened() as machine:
        with pytest.raises(TargetError, match=r"in use by .*rbd status"):
            image.target(request)
        machine.write(b"x", 0)
        with pytest.raises(TargetError, match="in use by"):
            image.target(request)
    image.target(request).close()


def test_a_restore_says_how_to_make_room(pool: Pool) -> None:
    image = pool.image(MIB)
    with pytest.raises(TargetError, match=f"rbd resize --size {2 * MIB}B {pool.name}/{image.name}"):
        image.target(TargetRequest(2 * MIB, force=True, sparse=True))
    pool.cluster.run("rbd", "resize", "--size", f"{2 * MIB}B", f"{pool.name}/{image.name}")
    image.target(TargetRequest(2 * MIB, force=True, sparse=True)).close()


def test_a_larger_image_is_warned_of(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    image = pool.image(3 * MIB)
    image.target(TargetRequest(3 * MIB, force=True, sparse=True)).close()
    assert caplog.messages == []
    image.target(TargetRequest(2 * MIB, force=True, sparse=True)).close()
    (warning,) = caplog.records
    assert (warning.levelname, warning.getMessage()) == (
        "WARNING",
        f"{image.url} has {3 * MIB} bytes, of which the first {2 * MIB} are restored; what is behind them stays as it was",
    )


def test_nothing_is_restored_to_a_snapshot(pool: Pool) -> None:
    image = pool.image(MIB)
    image.take("monday")
    with pytest.raises(TargetError, match="it is a snapshot"):
        plugin.backy2_open_target(f"{image.url}@monday", settings(pool.cluster), TargetRequest(MIB, True, True))


def test_a_pattern_names_the_images_that_match(pool: Pool, spaced_pool: Pool) -> None:
    import rbd

    values = settings(pool.cluster)
    for name in ("vm-b", "vm-a", "VM-c", "db"):
        rbd.RBD().create(pool.ioctx, name, MIB)
        rbd.RBD().create(spaced_pool.ioctx, f"{name}-t", MIB)
    assert plugin.backy2_list_sources(pool.url("vm-*"), values) == [pool.url("vm-a"), pool.url("vm-b")]
    assert plugin.backy2_list_sources(pool.url("vm-[b-z]"), values) == [pool.url("vm-b")]
    assert plugin.backy2_list_sources(pool.url("d?"), values) == [pool.url("db")]
    assert plugin.backy2_list_sources(spaced_pool.url("vm-*"), values) == [
        spaced_pool.url("vm-a-t"),
        spaced_pool.url("vm-b-t"),
    ]
    assert plugin.backy2_list_sources(pool.url("vm-a"), values) is None


@pytest.mark.parametrize(
    "pattern", ["rbd://*/image", "rbd://POOL/*/image", "rbd://POOL/*/*", "rbd://POOL/image*@monday"]
)
def test_a_pattern_elsewhere_is_refused(pool: Pool, pattern: str) -> None:
    with pytest.raises(SourceError, match="in the place of the image only"):
        plugin.backy2_list_sources(pattern.replace("POOL", pool.name), settings(pool.cluster))


def test_an_image_of_exactly_the_name_is_among_what_a_pattern_means(pool: Pool) -> None:
    import rbd

    values = settings(pool.cluster)
    for name in ("exact[1]", "exact1", "exact*"):
        rbd.RBD().create(pool.ioctx, name, MIB)
    for path in ("exact[1]@monday", "exact1@mon*"):
        assert plugin.backy2_list_sources(pool.url(path), values) is None
    assert plugin.backy2_list_sources(pool.url("exact[1]"), values) == [pool.url("exact1"), pool.url("exact[1]")]
    for pattern in ("exact*", "exact**"):
        assert plugin.backy2_list_sources(pool.url(pattern), values) == [
            pool.url(name) for name in ("exact*", "exact1", "exact[1]")
        ]
    rbd.RBD().remove(pool.ioctx, "exact1")
    assert plugin.backy2_list_sources(pool.url("exact[1]"), values) is None


def test_pools_and_namespaces_whose_names_look_like_patterns_are_taken_as_they_stand(pool: Pool) -> None:
    import rbd

    rbd.RBD().namespace_create(pool.ioctx, "odd*")
    pool.ioctx.set_namespace("odd*")
    try:
        rbd.RBD().create(pool.ioctx, "vm1", MIB)
    finally:
        pool.ioctx.set_namespace("")
    values = settings(pool.cluster)
    assert plugin.backy2_list_sources(pool.url("odd*/vm1"), values) is None
    assert plugin.backy2_list_sources(pool.url("odd*/vm*"), values) == [pool.url("odd*/vm1")]


def test_a_pattern_that_means_nothing_says_where_to_look(pool: Pool, spaced_pool: Pool) -> None:
    def message(pattern: str) -> str:
        with pytest.raises(SourceError) as caught:
            plugin.backy2_list_sources(pattern, settings(pool.cluster))
        return str(caught.value)

    told = message(pool.url("none*"))
    assert f"{pool.url('none*')} means no image that is there" in told
    assert f"`rbd ls {pool.name}`" in told
    assert f"rbd://{pool.name}/NAMESPACE/none*" in told
    assert f"`rbd namespace ls {pool.name}`" in told
    told = message(spaced_pool.url("none*"))
    assert f"none in namespace tenant of pool {pool.name} matches none*; see `rbd ls {pool.name}/tenant`" in told
    told = message(pool.url("nons/*"))
    assert f"there is no namespace nons in pool {pool.name}; see `rbd namespace ls {pool.name}`" in told


@pytest.mark.parametrize("name", ["odd@monday", "odd/vm1"])
def test_an_image_that_no_url_can_name_is_never_taken_for_another(pool: Pool, name: str) -> None:
    import rbd

    values = settings(pool.cluster)
    rbd.RBD().create(pool.ioctx, name, MIB)
    try:
        with pytest.raises(SourceError, match=f"the name of image {name} .* would mean something else"):
            plugin.backy2_list_sources(pool.url("o*"), values)
    finally:
        rbd.RBD().remove(pool.ioctx, name)
