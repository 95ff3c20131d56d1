"""Jobs over blobs that the original encrypted: the key comes from the configuration, and a wrong one changes nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from backy2_core.assembly.drivers import Drivers
from backy2_core.config.load import load_config
from backy2_core.engine.chain import Chain, describe
from backy2_core.errors import ConfigError, TransformError
from backy2_core.model.blob import BlobId, BlobRecord, BlobState, BlobUid, StoreId
from backy2_core.model.version import VersionState
from backy2_core.plugins.discovery import TRANSFORMS
from backy2_core.plugins.registry import PluginRegistry
from tests.engine.conftest import place
from tests.engine.place import image
from tests.transforms.originals import DUMPS, KEY, ORIGINALS, OTHER_KEY, Sealer, encrypted_blobs

__all__ = ["place"]

OURS = "[transform:backy2_v1]\nencryption_key = {}\n"
THEIRS = "[DEFAULTS]\nencryption_key: {}\nencryption_version: 1\n"


def drivers(path):
    return Drivers(load_config(str(path)), PluginRegistry())


def configured(tmp_path, text):
    path = tmp_path / "backy2.cfg"
    path.write_text(text)
    return drivers(path)


def record(original):
    """The record of a blob, as an import makes it from the block's row."""
    spec, envelope = describe([("backy2_v1", {})], [original.envelope])
    return BlobRecord(
        id=BlobId(1),
        store=StoreId(1),
        uid=BlobUid(original.uid),
        size=original.size,
        stored_size=len(original.blob),
        hash="sha512",
        checksum=bytes.fromhex(original.sha512),
        key="",
        transforms=spec,
        envelope=envelope,
        state=BlobState.UNSEEN,
        date=datetime(2026, 11, 24, tzinfo=UTC),
    )


@pytest.mark.parametrize("name", DUMPS)
def test_the_originals_own_configuration_opens_its_blobs(name):
    chain = Chain([], drivers(ORIGINALS / name / "backy.cfg").opener_maker(None))
    for original in encrypted_blobs(name):
        clear = chain.unseal(record(original), memoryview(original.blob))
        assert hashlib.sha512(clear).hexdigest() == original.sha512


def test_a_sealed_version_is_restored_and_scrubbed_with_the_configured_key(place, tmp_path):
    content = image("abc..a", tail="the end")
    uid = place.uid(content, engine=place.engine_with([("backy2_v1", Sealer())], Sealer))
    for text in (OURS, THEIRS):
        engine = place.engine_with([], configured(tmp_path, text.format(KEY)).opener_maker(None))
        assert place.restored(uid, engine=engine) == content
        assert place.scrub(uid, engine=engine).damaged_blocks == 0


@pytest.mark.parametrize("text", [OURS.format(OTHER_KEY), THEIRS.format(OTHER_KEY), "[backy2]\n"])
@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_a_wrong_or_missing_key_ends_the_job_and_marks_nothing(place, tmp_path, text, job):
    uid = place.uid(image("abc"), engine=place.engine_with([("backy2_v1", Sealer())], Sealer))
    engine = place.engine_with([], configured(tmp_path, text).opener_maker(None))
    with pytest.raises(TransformError, match="encryption_key"):
        getattr(place, job)(uid, engine=engine)
    assert place.state(uid) is VersionState.VALID
    assert place.scrub(uid, engine=place.engine_with([], lambda *step: Sealer())).damaged_blocks == 0


@pytest.mark.parametrize("job", ["restore", "scrub"])
def test_a_blob_with_a_wrong_tag_is_damage_and_the_rest_is_restored(place, tmp_path, job):
    uid = place.uid(image("abc"), engine=place.engine_with([("backy2_v1", Sealer())], Sealer))
    broken = sorted(place.objects())[1]
    data = bytearray(place.blob_file(broken).read_bytes())
    data[3] ^= 0xFF
    place.blob_file(broken).write_bytes(data)
    result = getattr(place, job)(
        uid, engine=place.engine_with([], configured(tmp_path, OURS.format(KEY)).opener_maker(None))
    )
    damage = (result[0] if job == "restore" else result).damage
    assert [each.blob_uid for each in damage] == [broken]
    assert place.state(uid) is VersionState.DAMAGED


def test_a_chain_that_is_to_seal_with_it_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="only opens what the original stored"):
        configured(tmp_path, OURS.format(KEY)).make_transforms(["backy2_v1"], None)


def test_the_plugin_is_looked_at_without_its_libraries():
    probe = (
        "import sys; from backy2_core.plugins.registry import PluginRegistry; r = PluginRegistry();"
        f"r.settings(r.load({TRANSFORMS!r}, 'backy2_v1')); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert {"cryptography", "zstandard"}.isdisjoint(done.stdout.split())
