"""The document of wrapped keys: read as it was written, and refused where it was changed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from backy2_core.engine.key_document import FormerKey, NewerFormatError, new_document, parse, render
from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.key_wrap import unwrap
from backy2_core.engine.keyring import StoreKeyring, hkdf_sha256, new_store_key
from backy2_core.errors import KeyringError
from backy2_core.model.secret import Secret

KEY = bytes(range(32))
RING = StoreKeyring(KEY)
ONE, TWO = MasterKey("one", b"1" * 32), MasterKey("two", b"2" * 32)
OLD = b"o" * 32


def test_a_document_reads_as_it_was_written() -> None:
    document = new_document(RING, [ONE, TWO]).with_former(RING, OLD)
    assert parse(render(document)) == document


def test_members_that_are_not_known_are_passed_over() -> None:
    document = new_document(RING, [ONE])
    content = json.loads(render(document)) | {"comment": "by hand"}
    content["slots"][0]["more"] = 1
    assert parse(json.dumps(content).encode()) == document


def test_the_store_key_is_wrapped_by_the_master_key_as_the_page_says() -> None:
    [slot] = json.loads(render(new_document(RING, [ONE])))["slots"]
    assert unwrap(ONE.raw, bytes.fromhex(slot["wrapped"])) == KEY


def test_a_former_key_is_sealed_under_the_store_key_as_the_page_says() -> None:
    [former] = json.loads(render(new_document(RING, [ONE]).with_former(RING, OLD)))["former"]
    assert former["kind"] == "backy2_v1"
    assert unwrap(hkdf_sha256(KEY, b"former key backy2_v1", 32), bytes.fromhex(former["sealed"])) == OLD


def test_no_secret_stands_in_the_document_or_is_shown_by_what_holds_it() -> None:
    document = new_document(RING, [ONE, TWO]).with_former(RING, OLD)
    text = render(document).decode() + repr(document) + repr((ONE, TWO)) + str(ONE)
    for secret in (KEY, ONE.raw, TWO.raw, OLD):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


def test_the_newest_former_key_comes_first_and_each_is_kept_once() -> None:
    document = new_document(RING, [ONE])
    for raw in (OLD, ONE.raw, OLD):
        document = document.with_former(RING, raw)
    found = document.unlock(ONE)
    assert found is not None
    assert found[1].former_keys("backy2_v1") == (Secret(ONE.raw.hex()), Secret(OLD.hex()))


def test_a_master_key_opens_its_own_slot_alone() -> None:
    document = new_document(RING, [ONE])
    assert document.unlock(TWO) is None
    found = document.with_slot(RING, TWO).unlock(TWO)
    assert found is not None
    slot, ring = found
    assert (slot.id, slot.fingerprint, ring.key_id) == ("two", TWO.fingerprint, RING.key_id)
    assert ring.derive("x") == RING.derive("x")


def test_a_slot_with_another_store_key_is_refused() -> None:
    other = new_document(StoreKeyring(new_store_key()), [ONE])
    with pytest.raises(KeyringError, match="put together from two"):
        replace(new_document(RING, [TWO]), slots=other.slots).unlock(ONE)


def test_a_former_key_that_was_changed_is_refused() -> None:
    document = new_document(RING, [ONE]).with_former(RING, OLD)
    [former] = document.former
    for harmed in (replace(former, sealed=bytes(40)), FormerKey("another kind", former.fingerprint, former.sealed)):
        with pytest.raises(KeyringError, match=f"former key {former.fingerprint} in keys.json was changed"):
            replace(document, former=(harmed,)).unlock(ONE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"format": "x", "key_id": "", "slots": [], "former": []}',
        b'{"format": 1, "key_id": "", "slots": [{}], "former": []}',
        b'{"format": 1, "key_id": "", "slots": [{"id": "", "fingerprint": "", "wrapped": "", "made": ""}], "former": []}',
        b'{"format": 1, "key_id": "", "slots": [{"id": "", "fingerprint": "", "wrapped": 1, "made": ""}], "former": []}',
        b'{"format": 1, "key_id": "", "slots": null, "former": []}',
        b'{"format": 1, "key_id": "", "slots": []}',
    ],
)
def test_what_is_no_such_document_is_said_to_be_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


def test_a_later_format_is_told_from_damage() -> None:
    with pytest.raises(NewerFormatError, match="format 2"):
        parse(b'{"format": 2}')
