"""Data backends that were ever written to, notes about them, and chains of transforms that ever sealed a blob."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from backy2_core.api import StoreId, StoreInfo
from backy2_plugins.meta_backends.sql.clock import now_us
from backy2_plugins.meta_backends.sql.counters import reserve
from backy2_plugins.meta_backends.sql.database import Database
from backy2_plugins.meta_backends.sql.schema import Tables


def register_store(database: Database, identity: str, kind: str, location: str) -> StoreId:
    """Find or record a store; see the contract."""
    stores = database.tables.stores
    with database.write() as connection:
        found = connection.execute(select(stores.c.id).where(stores.c.identity == identity)).scalar()
        if found is not None:
            connection.execute(update(stores).where(stores.c.id == found).values(kind=kind, location=location))
            return StoreId(found)
        number = reserve(connection, database.tables, "stores")[0]
        connection.execute(
            insert(stores).values(
                id=number, identity=identity, kind=kind, location=location, created=now_us(connection)
            )
        )
        return StoreId(number)


def list_stores(database: Database) -> list[StoreInfo]:
    """All stores; see the contract."""
    stores = database.tables.stores
    query = select(stores.c.id, stores.c.identity, stores.c.kind, stores.c.location).order_by(stores.c.id)
    with database.read() as connection:
        return [StoreInfo(*row) for row in connection.execute(query)]


def read_note(database: Database, store: StoreId, name: str) -> bytes | None:
    """A note; see the contract."""
    notes = database.tables.notes
    with database.read() as connection:
        found = connection.execute(select(notes.c.data).where(notes.c.store == store, notes.c.name == name)).scalar()
    return None if found is None else bytes(found)


def write_note(database: Database, store: StoreId, name: str, data: bytes) -> None:
    """Keep a note; see the contract."""
    notes = database.tables.notes
    with database.write() as connection:
        connection.execute(delete(notes).where(notes.c.store == store, notes.c.name == name))
        connection.execute(insert(notes).values(store=store, name=name, data=data))


def chain_numbers(connection: Connection, tables: Tables, specs: set[str]) -> dict[str, int | None]:
    """The numbers of these chains, recorded where they are new; the empty one has none."""
    numbers: dict[str, int | None] = {"": None}
    chains = tables.chains
    for spec in specs - {""}:
        found = connection.execute(select(chains.c.id).where(chains.c.spec == spec)).scalar()
        if found is None:
            found = reserve(connection, tables, "chains")[0]
            connection.execute(insert(chains).values(id=found, spec=spec))
        numbers[spec] = found
    return numbers
