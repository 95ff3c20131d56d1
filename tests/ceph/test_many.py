"""All images of a pool are backed up by one command; one that fails stops no other."""

from __future__ import annotations

import json
from pathlib import Path

from tests.ceph.world import World, own_pool
from tests.sources.rbd_images import MIB
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
