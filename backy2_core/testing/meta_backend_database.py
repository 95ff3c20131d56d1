"""What may be expected of the database as a whole, and of the stores registered in it."""

from __future__ import annotations

from backy2_core.contracts.meta_backend import MetaBackend, SchemaState, StoreInfo
from backy2_core.model.blob import StoreId
from backy2_core.testing.meta_backend_base import OpenDatabase, PromiseBase, begin


class DatabasePromises(PromiseBase):
    """See :class:`backy2_core.testing.meta_backend.MetaBackendSuite`."""

    def test_a_new_database_is_empty_and_looking_does_not_change_that(self, open_database: OpenDatabase) -> None:
        for _ in range(2):
            with open_database() as meta:
                assert meta.schema_state() is SchemaState.EMPTY

    def test_initialise_makes_the_schema_current(self, open_database: OpenDatabase) -> None:
        with open_database() as meta:
            meta.initialise()
            assert meta.schema_state() is SchemaState.CURRENT
        with open_database() as again:
            assert again.schema_state() is SchemaState.CURRENT

    def test_initialise_leaves_a_current_database_alone(self, meta: MetaBackend) -> None:
        number = meta.register_store("identity", "file", "/somewhere")
        meta.initialise()
        assert meta.stores() == [StoreInfo(number, "identity", "file", "/somewhere")]

    def test_closing_twice_does_nothing(self, open_database: OpenDatabase) -> None:
        meta = open_database()
        meta.initialise()
        meta.close()
        meta.close()

    def test_what_was_written_is_there_after_opening_again(self, open_database: OpenDatabase) -> None:
        with open_database() as meta:
            meta.initialise()
            job = begin(meta)
        with open_database() as again:
            assert again.find_jobs([job.token]) == {job.token: (job.id, job.state)}

    def test_location_says_something(self, meta: MetaBackend) -> None:
        assert meta.location

    def test_a_store_keeps_its_number(self, meta: MetaBackend) -> None:
        first = meta.register_store("first", "file", "/a")
        second = meta.register_store("second", "s3", "bucket")
        assert first != second
        assert meta.register_store("first", "file", "/a") == first

    def test_stores_are_listed_by_number_with_what_was_said_last(self, meta: MetaBackend) -> None:
        first = meta.register_store("first", "file", "/a")
        second = meta.register_store("second", "file", "/b")
        meta.register_store("first", "s3", "bucket")
        assert meta.stores() == [
            StoreInfo(first, "first", "s3", "bucket"),
            StoreInfo(second, "second", "file", "/b"),
        ]

    def test_there_is_no_note_before_one_was_written(self, meta: MetaBackend, store: StoreId) -> None:
        assert meta.read_note(store, "keys") is None

    def test_a_note_is_kept_to_the_byte(self, open_database: OpenDatabase) -> None:
        notes = {"keys": (bytes(range(256)) * 235)[:60_000], "other-name_1.x": b"", "k" * 32: b"\0"}
        with open_database() as meta:
            meta.initialise()
            store = meta.register_store("first", "file", "/a")
            for name, data in notes.items():
                meta.write_note(store, name, data)
        with open_database() as again:
            assert {name: again.read_note(store, name) for name in notes} == notes

    def test_a_note_is_replaced_by_a_later_one(self, meta: MetaBackend, store: StoreId) -> None:
        for data in (b"first", b"second", b"second", b"third"):
            meta.write_note(store, "keys", data)
            assert meta.read_note(store, "keys") == data

    def test_notes_of_other_stores_and_names_are_left_alone(self, meta: MetaBackend) -> None:
        first = meta.register_store("first", "file", "/a")
        second = meta.register_store("second", "file", "/b")
        long = "k" * 31
        places = [
            (first, "keys"),
            (first, "Keys"),
            (first, "keys "),
            (second, "keys"),
            (first, long),
            (first, long + "k"),
        ]
        for number, (store, name) in enumerate(places):
            meta.write_note(store, name, b"%d" % number)
        assert [meta.read_note(store, name) for store, name in places] == [b"0", b"1", b"2", b"3", b"4", b"5"]
