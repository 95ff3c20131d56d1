"""Metadata copies in an encrypted store: unreadable without its key, and believed only where they were sealed."""

from __future__ import annotations

import logging

import pytest

from backy2_core.engine.keyring import StoreKeyring
from backy2_core.testing.data_backend import DataBackendSuite
from backy2_core.wrappers.sealed_documents import MAGIC, SealedDocumentsDataBackend
from tests.support.engines import open_folder_store

NAME, OTHER = "versions/a.json", "versions/b.json"
CLEAR = b'{"name": "a secret machine"}'


def keyring(seed=1):
    return StoreKeyring(bytes([seed]) * 32)


class TestSealedDocuments(DataBackendSuite):
    """It keeps every promise of the store within."""

    @pytest.fixture
    def open_store(self, tmp_path):
        return lambda: SealedDocumentsDataBackend(open_folder_store(tmp_path), keyring())


@pytest.fixture
def inner(tmp_path):
    with open_folder_store(tmp_path) as store:
        yield store


@pytest.fixture
def sealed(inner):
    return SealedDocumentsDataBackend(inner, keyring())


@pytest.mark.parametrize("name", [NAME, "maps/a.00000000-0000.pack"])
def test_what_tells_of_versions_is_unreadable_without_the_key(inner, sealed, name):
    sealed.write_document(name, CLEAR)
    stored = inner.read_document(name)
    assert stored.startswith(MAGIC)
    assert b"secret" not in stored
    assert sealed.read_document(name) == CLEAR


def test_the_same_document_is_never_sealed_twice_the_same_way(inner, sealed):
    stored = set()
    for _ in range(20):
        sealed.write_document(NAME, CLEAR)
        stored.add(inner.read_document(NAME)[len(MAGIC) :][:24])
    assert len(stored) == 20


def test_other_documents_pass_as_they_are(inner, sealed):
    for name in ("store.json", "keys.json", "take-over.json"):
        sealed.write_document(name, CLEAR)
        assert inner.read_document(name) == sealed.read_document(name) == CLEAR


def test_a_document_that_is_not_there_is_none(sealed):
    assert sealed.read_document(NAME) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored[:-1],
        lambda stored: stored + b"x",
        lambda stored: stored[:20] + bytes([stored[20] ^ 1]) + stored[21:],
        lambda stored: stored[:-20] + bytes([stored[-20] ^ 1]) + stored[-19:],
        lambda stored: MAGIC,
        lambda stored: stored[: len(MAGIC) + 24 + 15],
    ],
    ids=["cut", "extended", "salt", "ciphertext", "magic alone", "shorter than a tag"],
)
def test_a_changed_document_reads_as_empty_with_a_warning(inner, sealed, caplog, change):
    sealed.write_document(NAME, CLEAR)
    inner.write_document(NAME, change(inner.read_document(NAME)))
    with caplog.at_level(logging.WARNING):
        assert sealed.read_document(NAME) == b""
    assert NAME in caplog.text


def test_a_document_in_anothers_place_reads_as_empty(inner, sealed, caplog):
    sealed.write_document(NAME, CLEAR)
    inner.write_document(OTHER, inner.read_document(NAME))
    assert sealed.read_document(OTHER) == b""
    assert OTHER in caplog.text


def test_a_document_of_another_key_reads_as_empty(inner, sealed, caplog):
    SealedDocumentsDataBackend(inner, keyring(2)).write_document(NAME, CLEAR)
    assert sealed.read_document(NAME) == b""
    assert NAME in caplog.text


def test_a_clear_document_is_believed_only_where_that_was_asked_for(inner, sealed, caplog):
    inner.write_document(NAME, CLEAR)
    assert sealed.read_document(NAME) == b""
    assert "not sealed" in caplog.text
    trusting = SealedDocumentsDataBackend(inner, keyring(), trust_clear=True)
    assert trusting.read_document(NAME) == CLEAR
