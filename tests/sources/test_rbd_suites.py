"""The source, the target and the snapshots of ``rbd`` keep every promise of their contracts on a real cluster."""

from __future__ import annotations

import random

import pytest

from backy2_core.testing.snapshots import SnapshotsSubject, SnapshotsSuite
from backy2_core.testing.source import SourceSubject, SourceSuite, TargetSubject, TargetSuite
from backy2_plugins.sources.rbd import RbdSource
from tests.sources.rbd_images import FEATURES, KIB, MIB, Image, Pool, feature_bits

SIZE = 3 * MIB + 1234


def _content() -> bytes:
    """Data, a hole, written zeros, data, a hole, and an odd end."""
    draw = random.Random(3)
    return (
        draw.randbytes(MIB)
        + bytes(MIB // 2)
        + bytes(MIB // 4)
        + draw.randbytes(MIB // 4)
        + bytes(MIB)
        + b"end" * 411
        + b"."
    )


def _filled(image: Image) -> bytes:
    content = _content()
    for start, stop in ((0, MIB), (3 * MIB // 2, 2 * MIB), (3 * MIB, SIZE)):
        image.write(start, content[start:stop])
    return content


class TestSourceOfASnapshot(SourceSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SourceSubject:
        image = pool.image(SIZE, order=18)
        content = _filled(image)
        image.take("monday")
        image.write(0, b"later")
        return SourceSubject(lambda: image.source("monday"), content)


@pytest.mark.soak
class TestSourceOfAnImage(SourceSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SourceSubject:
        image = pool.image(SIZE, order=20)
        return SourceSubject(image.source, _filled(image))


@pytest.mark.soak
class TestSourceWithoutObjectMap(SourceSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SourceSubject:
        image = pool.image(SIZE, order=16, features=("LAYERING",))
        content = _filled(image)
        image.take("monday")
        return SourceSubject(lambda: image.source("monday"), content)


class TestSourceOfAClone(SourceSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SourceSubject:
        import rbd

        parent = pool.image(SIZE, order=18)
        content = bytearray(_filled(parent))
        parent.take("base")
        parent.hold("base")
        name = f"{parent.name}-clone"
        rbd.RBD().clone(pool.ioctx, parent.name, "base", pool.ioctx, name, features=feature_bits(*FEATURES))
        clone = Image(pool, name)
        clone.write(MIB + 5, b"of the clone")
        content[MIB + 5 : MIB + 17] = b"of the clone"
        clone.take("monday")
        return SourceSubject(lambda: clone.source("monday"), bytes(content))


class TestSourceOfAStripedImage(SourceSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SourceSubject:
        image = pool.image(SIZE, order=18, stripe_unit=16 * KIB, stripe_count=3)
        content = _filled(image)
        image.take("monday")
        return SourceSubject(lambda: image.source("monday"), content)


@pytest.mark.soak
class TestSourceInANamespace(SourceSuite):
    @pytest.fixture
    def subject(self, spaced_pool: Pool) -> SourceSubject:
        image = spaced_pool.image(SIZE, order=18)
        content = _filled(image)
        image.take("monday")
        return SourceSubject(lambda: RbdSource(f"{image.url}@monday", spaced_pool.access), content)


class TestTarget(TargetSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> TargetSubject:
        image = Image(pool, pool.new_name())
        return TargetSubject(image.target, image.content, SIZE)


class TestExistingTarget(TargetSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> TargetSubject:
        image = pool.image(SIZE + 100 * KIB, order=16)
        image.write(0, b"old bytes" * (SIZE // 9))
        return TargetSubject(image.target, image.content, SIZE, creates=False)


@pytest.mark.soak
class TestTargetInAClone(TargetSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> TargetSubject:
        import rbd

        parent = pool.image(SIZE, order=18)
        parent.write(0, b"old bytes" * (SIZE // 9))
        parent.take("base")
        parent.hold("base")
        name = f"{parent.name}-clone"
        rbd.RBD().clone(pool.ioctx, parent.name, "base", pool.ioctx, name, features=feature_bits(*FEATURES))
        clone = Image(pool, name)
        return TargetSubject(clone.target, clone.content, SIZE, creates=False)


class TestSnapshots(SnapshotsSuite):
    @pytest.fixture
    def subject(self, pool: Pool) -> SnapshotsSubject:
        return _snapshots_subject(pool.image(2 * MIB, order=18))


@pytest.mark.soak
class TestSnapshotsInANamespaceWithoutObjectMap(SnapshotsSuite):
    @pytest.fixture
    def subject(self, spaced_pool: Pool) -> SnapshotsSubject:
        return _snapshots_subject(spaced_pool.image(MIB, order=20, features=("LAYERING",)))


def _snapshots_subject(image: Image) -> SnapshotsSubject:
    size = len(image.content())
    return SnapshotsSubject(
        open=image.snapshots,
        open_source=lambda url: RbdSource(url, image.pool.access),
        size_bytes=size,
        write=image.write,
        take=image.take,
        drop=image.drop,
        discard=image.discard,
        resize=image.resize,
        roll_back=image.roll_back,
        recreate=lambda: image.recreate(size),
        hold=image.hold,
    )
