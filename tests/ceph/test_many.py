"""All images of a pool are backed up by one command, whatever their names; one that fails stops no other."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ceph.world import World, own_pool
from tests.sources.rbd_images import FEATURES, MIB, Image, Pool, feature_bits
from tests.support.ceph import Cluster


def test_one_image_that_fails_stops_no_other_and_is_told_of(tmp_path: Path, ceph: Cluster) -> None:
    with own_pool(ceph) as pool:
        world = World(tmp_path, pool)
        images = [pool.image(MIB, order=18) for _ in range(3)]
        for image in images:
            image.write(0, image.name.encode() * 1000)
        broken = images[1]
        # Its header is gone, as after a removal that was cut off: it is listed, and cannot be opened.
        with broken.opened(read_only=True) as opened:
            header = f"rbd_header.{opened.id()}"
        pool.ioctx.remove_object(header)

        ended = world.call("backup", f"rbd://{pool.name}/*", "--format", "json")

        assert ended.code == 12, ended.err
        rows = {row["name"]: row for row in json.loads(ended.out)}
        assert set(rows) == {image.name for image in images}
        assert {name: row["state"] for name, row in rows.items() if name != broken.name} == {
            image.name: "valid" for image in images if image is not broken
        }
        assert broken.name in rows[broken.name]["error"]
        for image in images:
            if image is not broken:
                world.remember(image, rows[image.name]["uid"])
        assert len(world.expected) == 2
        world.check_all()


def test_an_image_whose_name_looks_like_a_pattern_is_backed_up_as_itself(tmp_path: Path, ceph: Cluster) -> None:
    with own_pool(ceph) as pool:
        world = World(tmp_path, pool)
        images = [named(pool, name) for name in ("a1", "a[1]", "b1", "b[1]", "lone*", "star*", "starry")]

        # A process, and bounded: one that took lone* for a pattern would start others without end.
        running = world.start("backup", f"rbd://{pool.name}/*")
        assert running.wait(timeout_s=60) == 0, running.said()

        versions = {row["name"]: row["uid"] for row in world.versions()}
        assert len(world.versions()) == len(images)
        for image in images:
            world.remember(image, versions[image.name])
        world.check_all()


def test_one_image_whose_name_looks_like_a_pattern_is_named_literally(tmp_path: Path, ceph: Cluster) -> None:
    with own_pool(ceph) as pool:
        world = World(tmp_path, pool)
        images = {name: named(pool, name) for name in ("a1", "a[1]", "b1", "b[1]")}
        snapshotted = images["b[1]"]
        snapshotted.take("monday")

        record = json.loads(world.ok("backup", "--literal", images["a[1]"].url, "--format", "json"))
        assert record["name"] == "a[1]"
        world.remember(images["a[1]"], record["uid"])
        record = json.loads(world.ok("backup", f"{snapshotted.url}@monday", "--format", "json"))
        assert (record["name"], record["snapshot_name"]) == ("b[1]", "monday")
        world.remember(snapshotted, record["uid"])
        world.check_all()


def test_a_pattern_for_one_such_image_tells_of_its_version(tmp_path: Path, ceph: Cluster) -> None:
    with own_pool(ceph) as pool:
        world = World(tmp_path, pool)
        images = {name: named(pool, name) for name in ("b1", "b[1]")}

        name, uid, state, *_, error = world.ok("-m", "-s", "backup", pool.url("b[[]1]")).strip().split("|")

        assert (name, state, error) == ("b[1]", "valid", "")
        world.remember(images["b[1]"], uid)
        assert [row["name"] for row in world.versions()] == ["b[1]"]
        world.check_all()


def named(pool: Pool, name: str) -> Image:
    """A new image of this name, whose content is like no other's."""
    import rbd

    rbd.RBD().create(pool.ioctx, name, MIB, order=18, old_format=False, features=feature_bits(*FEATURES))
    image = Image(pool, name)
    image.write(0, f"content of {name}".encode() * 1000)
    return image
