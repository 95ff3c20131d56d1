"""What goes wrong in a database, said in our words."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from backy2_core.api import MetaBackendError, SchemaError

_SQLITE = {
    "SQLITE_BUSY": "is locked by another process for longer than busy_timeout; try again when that one is done",
    "SQLITE_LOCKED": "is locked by another connection; try again",
    "SQLITE_READONLY": "cannot be written to: its file, its folder or its file system is read-only for this user",
    "SQLITE_FULL": "cannot grow: the disk is full; make room and try again",
    "SQLITE_NOTADB": "is not a database; check the path in the setting engine",
    "SQLITE_CORRUPT": "is damaged; restore it from a copy",
    "SQLITE_CANTOPEN": "cannot be opened; check that its folder exists and that this user may write to both",
    "SQLITE_IOERR": "cannot be read or written: the file system reported an error",
    "SQLITE_PERM": "cannot be opened: permission denied",
}
_RETRYABLE_STATES = ("40001", "40P01", "08", "57P")
"""SQLSTATE prefixes: serialisation failure, deadlock, connection lost, server shutting down."""


def translated(error: SQLAlchemyError, location: str) -> MetaBackendError:
    """The error to raise in place of one from the library; names the database and the next step."""
    if not isinstance(error, DBAPIError):
        return MetaBackendError(f"database {location}: {error}")
    kind = _sqlite_kind(error.orig)
    if kind in _SQLITE:
        return MetaBackendError(
            f"database {location} {_SQLITE[kind]} ({error.orig})", retryable=kind in ("SQLITE_BUSY", "SQLITE_LOCKED")
        )
    if "no such table" in str(error.orig) or "no such column" in str(error.orig):
        return SchemaError(f"database {location} lacks tables of this release ({error.orig}); run: backy2 initdb")
    if isinstance(error, IntegrityError):
        return MetaBackendError(f"database {location} refuses a record that is there already: {error.orig}")
    return MetaBackendError(f"database {location}: {error.orig}", retryable=_may_pass(error))


def _sqlite_kind(error: BaseException | None) -> str:
    name: str = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])


def _may_pass(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None) or ""
    return error.connection_invalidated or state.startswith(_RETRYABLE_STATES)
