"""What may be expected of documents: small, named, replaced whole, made once, durable at once."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.testing.data_backend_base import OpenStore, PromiseBase, listed, put_new

MORE_THAN_A_PAGE = 1030
"""Many services list at most a thousand at a time."""
LONGEST = "y" * 90 + "/" + "z" * 90
"""With the folder before it just below 200 characters."""


class DocumentPromises(PromiseBase):
    """See :class:`backy2_core.testing.data_backend.DataBackendSuite`."""

    @pytest.fixture
    def folder(self, open_store: OpenStore) -> Iterator[str]:
        """A beginning of document names that no other test uses; what is left below it is deleted."""
        name = f"kit-{secrets.token_hex(6)}/"
        yield name
        with open_store() as store:
            for document in list(store.list_documents(name)):
                store.delete_document(document)

    @pytest.mark.parametrize("size", [0, 1, 4096, 1024 * 1024])
    def test_a_document_of_every_size_is_kept(self, store: DataBackend, folder: str, size: int) -> None:
        data = secrets.token_bytes(size)
        store.write_document(folder + "size", data)
        assert store.read_document(folder + "size") == data

    @pytest.mark.parametrize(
        "name", ["a", "store.json", "0-9_.z", ".hidden", "..a", "a..b", "-", "_", "a/b/c/d.e", "x" * 100, LONGEST]
    )
    def test_every_allowed_name_can_be_used(self, store: DataBackend, folder: str, name: str) -> None:
        assert store.create_document(folder + name, b"1")
        store.write_document(folder + name, b"2")
        assert store.read_document(folder + name) == b"2"
        assert list(store.list_documents(folder)) == [folder + name]

    def test_a_missing_document_is_none(self, store: DataBackend, folder: str) -> None:
        assert store.read_document(folder + "missing") is None

    def test_a_document_is_replaced(self, store: DataBackend, folder: str) -> None:
        store.write_document(folder + "a", b"long long ago")
        store.write_document(folder + "a", b"now")
        assert store.read_document(folder + "a") == b"now"

    def test_a_document_is_created_only_once(self, store: DataBackend, folder: str) -> None:
        assert store.create_document(folder + "a", b"first")
        assert not store.create_document(folder + "a", b"first")
        assert not store.create_document(folder + "a", b"second")
        assert store.read_document(folder + "a") == b"first"

    def test_one_of_many_threads_creates_a_document(self, store: DataBackend, folder: str) -> None:
        for attempt in range(10):
            name = f"{folder}{attempt}"
            with ThreadPoolExecutor(8) as pool:
                made = list(pool.map(lambda n, name=name: store.create_document(name, b"%d" % n), range(8)))
            assert made.count(True) == 1
            assert store.read_document(name) == b"%d" % made.index(True)

    def test_one_of_two_objects_creates_a_document(
        self, persistent: DataBackend, open_store: OpenStore, folder: str
    ) -> None:
        with open_store() as second:
            assert persistent.create_document(folder + "a", b"first")
            assert not second.create_document(folder + "a", b"second")

    def test_a_reader_sees_a_whole_document_while_it_is_replaced(self, store: DataBackend, folder: str) -> None:
        versions = [b"a" * 100_000, b"b" * 50_000]
        store.write_document(folder + "a", versions[0])
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(store.write_document, folder + "a", versions[n % 2]) for n in range(30)]
            while not all(writer.done() for writer in writers):
                assert store.read_document(folder + "a") in versions
        for writer in writers:
            writer.result()

    def test_documents_are_listed_by_the_beginning_of_their_names(self, store: DataBackend, folder: str) -> None:
        for name in ("jobs/a1", "jobs/a2/x", "jobs/b", "jobsa"):
            store.write_document(folder + name, b"")
        assert set(store.list_documents(folder + "jobs/a")) == {folder + "jobs/a1", folder + "jobs/a2/x"}
        assert set(store.list_documents(folder + "jobs/")) == {folder + f"jobs/{n}" for n in ("a1", "a2/x", "b")}
        assert set(store.list_documents(folder + "jobs")) >= {folder + "jobsa", folder + "jobs/b"}
        assert list(store.list_documents(folder + "jobs/a2/xy")) == []
        assert len(list(store.list_documents(folder))) == 4, "a document was listed twice, or not at all"
        assert set(store.list_documents(folder)) <= set(store.list_documents("")), "the empty prefix means all"

    def test_the_beginning_of_a_name_is_no_pattern_and_stands_at_the_beginning(
        self, store: DataBackend, folder: str
    ) -> None:
        names = {folder + name for name in ("a.b", "axb", "a-b", "aa", folder + "a.b")}
        for name in names:
            store.write_document(name, b"")
        assert list(store.list_documents(folder + "a.b")) == [folder + "a.b"]
        assert set(store.list_documents(folder + "a")) == names - {folder + folder + "a.b"}

    def test_a_document_that_is_deleted_as_it_is_listed_hides_no_other(self, store: DataBackend, folder: str) -> None:
        names = {f"{folder}{number}" for number in range(40)}
        for name in names:
            store.write_document(name, b"")
        seen = []
        for name in store.list_documents(folder):
            seen.append(name)
            if len(seen) % 2:
                store.delete_document(name)
        assert sorted(seen) == sorted(names)

    def test_more_documents_than_a_page_are_listed_once(self, store: DataBackend, folder: str) -> None:
        names = [f"{folder}{number}" for number in range(MORE_THAN_A_PAGE)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: store.write_document(name, b""), names))
            assert sorted(store.list_documents(folder)) == sorted(names)
            list(pool.map(store.delete_document, names))

    def test_documents_beside_which_others_come_and_go_are_listed_once(self, store: DataBackend, folder: str) -> None:
        stay = sorted(f"{folder}stay/{number}" for number in range(30))
        for name in stay:
            store.write_document(name, b"")
        seen = []
        for name in store.list_documents(folder):
            seen.append(name)
            store.write_document(f"{folder}new/{len(seen)}", b"")
            store.delete_document(f"{folder}new/{len(seen) - 1}")
            if len(seen) > 200:
                break
        assert sorted(name for name in seen if name in stay) == stay

    def test_many_threads_handle_documents_at_once(self, store: DataBackend, folder: str) -> None:
        def live(number: int) -> None:
            name = f"{folder}{number}/document"
            for turn in range(5):
                data = b"%d" % turn * 1000
                store.write_document(name, data)
                assert store.read_document(name) == data
                assert list(store.list_documents(f"{folder}{number}/")) == [name]
                store.delete_document(name)
                assert store.read_document(name) is None

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(live, range(8)))

    def test_a_deleted_document_is_gone(self, store: DataBackend, folder: str) -> None:
        store.write_document(folder + "a", b"1")
        store.delete_document(folder + "a")
        assert store.read_document(folder + "a") is None
        assert list(store.list_documents(folder)) == []
        assert store.create_document(folder + "a", b"2")

    def test_documents_whose_names_begin_alike_stay_when_one_is_deleted(self, store: DataBackend, folder: str) -> None:
        for name in ("a", "ab", "a.b"):
            store.write_document(folder + name, b"1")
        store.delete_document(folder + "a")
        assert set(store.list_documents(folder)) == {folder + "ab", folder + "a.b"}

    def test_deleting_a_missing_document_is_no_error(self, store: DataBackend, folder: str) -> None:
        store.delete_document(folder + "missing")

    def test_documents_and_blobs_are_apart(self, readable: DataBackend, folder: str) -> None:
        uid = put_new(readable)
        readable.write_document(folder + uid, b"a document")
        readable.flush()
        assert folder + uid in set(readable.list_documents(""))
        assert uid not in set(readable.list_documents(""))
        assert all("/" not in found for found in listed(readable))
        readable.delete([uid])
        assert readable.read_document(folder + uid) == b"a document"

    def test_what_others_did_to_a_document_is_seen(
        self, persistent: DataBackend, open_store: OpenStore, folder: str
    ) -> None:
        with open_store() as second:
            persistent.write_document(folder + "a", b"1")
            assert (persistent.read_document(folder + "a"), second.read_document(folder + "a")) == (b"1", b"1")
            second.write_document(folder + "a", b"2")
            assert persistent.read_document(folder + "a") == b"2", "what was known of the document was kept"
            second.delete_document(folder + "a")
            assert persistent.read_document(folder + "a") is None

    def test_documents_are_seen_by_others_without_a_flush(
        self, persistent: DataBackend, open_store: OpenStore, folder: str
    ) -> None:
        with open_store() as second:
            persistent.write_document(folder + "a", b"1")
            assert second.read_document(folder + "a") == b"1"
        persistent.close()
        with open_store() as third:
            assert third.read_document(folder + "a") == b"1"
            third.delete_document(folder + "a")
