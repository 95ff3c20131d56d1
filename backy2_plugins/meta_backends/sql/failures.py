"""What goes wrong in a database, said in our words."""

from __future__ import annotations

import re

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from backy2_core.api import MetaBackendError, SchemaError

_LOCKED = "is locked by another process for longer than busy_timeout; try again when that one is done"
_SQLITE = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": "is locked by another connection; try again",
    "SQLITE_READONLY": "cannot be written to: its file, its folder or its file system is read-only for this user",
    "SQLITE_FULL": "cannot grow: the disk is full; make room and try again",
    "SQLITE_NOTADB": "is not a database; check the path in the setting engine",
    "SQLITE_CORRUPT": "is damaged; restore it from a copy",
    "SQLITE_CANTOPEN": "cannot be opened; check that its folder exists and that this user may write to both",
    "SQLITE_IOERR": "cannot be read or written: the file system reported an error",
    "SQLITE_PERM": "cannot be opened: permission denied",
}
_MARIADB = {
    1044: "refuses this user; grant it all rights on that database",
    1045: "refuses this user or its password, or wants TLS; check the URL",
    1049: "does not exist on that server; check the URL, or make it",
    1205: _LOCKED,
    1213: "was changed by another connection at the same time; try again",
    2002: "cannot be reached; check that the server runs, and host and port in the URL",
    2003: "cannot be reached; check that the server runs, and host and port in the URL",
}
_FORGOTTEN = "25P03"
_FULL = "53300"
_NO_TLS = "no TLS"
"""No state of the server's: it has none for this, and 08P01 also comes in the middle of a conversation."""
_POSTGRESQL = {
    "3D000": "does not exist on that server; check the URL, or make it",
    "28P01": "refuses this user or its password, or wants TLS; check the URL",
    _FULL: "takes no more connections; let it take more (max_connections), or let fewer commands run at once",
    _NO_TLS: "cannot be connected to under TLS as the URL wants it; check sslmode and sslrootcert in it",
    "42501": "does not let this user do that; make the user the owner of the database, or of the schema in it",
    "3F000": "has no schema that this user may use; make it, or grant USAGE and CREATE on the one that search_path names",
    "25006": "is read-only, as a standby is; name the primary server in the URL",
    "55P03": _LOCKED,
    _FORGOTTEN: "ended a change of this process, which was silent in it for longer than half of busy_timeout; nothing changed",
}
_REFUSALS = (
    (r"password authentication failed|no pg_hba\.conf entry|role .* does not exist", "28P01"),
    (r"database .* does not exist", "3D000"),
    (r"too many (clients|connections)|connection slots|connection limit", _FULL),
    (r"sslmode|certificate|SSL error|not support SSL", _NO_TLS),
)
"""While it connects, PostgreSQL's driver gives the server's words alone; the state that stands for them."""
_MISSING_STATES = ("42P01", "42703")
_MISSING_CODES = (1146, 1054)
"""No such table, no such column: of PostgreSQL, of MariaDB."""
_GOING_DOWN_CODE, _GOING_DOWN_STATES = 1053, ("08", "57P")
_RETRYABLE_CODES = (_GOING_DOWN_CODE, 1205, 1213, 2002, 2003, 2006, 2013)
"""MariaDB's numbers for: going down, waited too long for a lock, deadlock, cannot be reached, connection lost."""
_RETRYABLE_STATES = ("40001", "40P01", "55P03", *_GOING_DOWN_STATES, _FORGOTTEN)
"""SQLSTATE prefixes: serialisation failure, deadlock, waited too long for a lock, connection lost, server going down, and a
transaction in which this process slept."""


def translated(error: SQLAlchemyError, location: str, *, in_doubt: bool = False) -> MetaBackendError:
    """The error to raise in place of one from the library; names the database and the next step.

    ``in_doubt`` says that a change was being committed: if the connection was lost then, nobody knows whether it was made.
    """
    if not isinstance(error, DBAPIError):
        return MetaBackendError(f"database {location}: {error}")
    if in_doubt and _leaves_doubt(error):
        return MetaBackendError(
            f"the connection to database {location} was lost while a change was being committed, so that it may have been"
            f" made or not ({_said(error.orig)}); run the command again"
        )
    kind = _sqlite_kind(error.orig)
    if kind in _SQLITE:
        return MetaBackendError(
            f"database {location} {_SQLITE[kind]} ({error.orig})", retryable=kind in ("SQLITE_BUSY", "SQLITE_LOCKED")
        )
    said = _said(error.orig)
    if _is_missing(error.orig, said):
        return SchemaError(f"database {location} lacks tables of this release ({said}); run: backy2 initdb")
    if isinstance(error, IntegrityError):
        return MetaBackendError(f"database {location} refuses a record that is there already: {said}")
    reason = _MARIADB.get(_code(error.orig)) or _postgresql_reason(error.orig)
    message = f"database {location} {reason} ({said})" if reason else f"database {location}: {said}"
    return MetaBackendError(message, retryable=_may_pass(error))


def _leaves_doubt(error: DBAPIError) -> bool:
    """Whether a change may have been made whose commit failed so: a server that goes down says no more about it."""
    going_down = _code(error.orig) == _GOING_DOWN_CODE or _state(error.orig).startswith(_GOING_DOWN_STATES)
    return (error.connection_invalidated or going_down) and _state(error.orig) != _FORGOTTEN


def _is_missing(error: BaseException | None, said: str) -> bool:
    if _state(error) in _MISSING_STATES or _code(error) in _MISSING_CODES:
        return True
    return "no such table" in said or "no such column" in said


def _said(error: BaseException | None) -> str:
    """What the driver says, on one line."""
    text = str(error.args[-1] if error is not None and _code(error) else error)
    return " ".join(text.split())


def _code(error: BaseException | None) -> int:
    """MariaDB's number of an error, 0 for another database's."""
    code = error.args[0] if error is not None and len(error.args) > 1 else 0
    return code if isinstance(code, int) else 0


def _state(error: BaseException | None) -> str:
    """PostgreSQL's code of an error, empty for another database's."""
    return getattr(error, "sqlstate", None) or ""


def _postgresql_reason(error: BaseException | None) -> str:
    if _is_unreachable(error) and not _refusal(error):
        return "cannot be connected to; check that the server runs, and host and port in the URL"
    return _POSTGRESQL.get(_refusal(error) or _state(error), "")


def _refusal(error: BaseException | None) -> str:
    """What the server, or the driver for it, refused while it was connected to; empty for anything else."""
    if not _is_unreachable(error):
        return ""
    return next((state for pattern, state in _REFUSALS if re.search(pattern, str(error))), "")


def _is_unreachable(error: BaseException | None) -> bool:
    """Whether PostgreSQL's driver failed before it was connected: then its errors have no state, whatever the server said."""
    # By name, since the driver need not be installed; a connection that took too long is a kind of its own beneath it.
    named = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    return named and getattr(error, "sqlstate", "") is None


def _sqlite_kind(error: BaseException | None) -> str:
    name: str = getattr(error, "sqlite_errorname", "")
    return "_".join(name.split("_")[:2])


def _may_pass(error: DBAPIError) -> bool:
    passing = _state(error.orig).startswith(_RETRYABLE_STATES) or _code(error.orig) in _RETRYABLE_CODES
    away = _is_unreachable(error.orig) and _refusal(error.orig) in ("", _FULL)
    return error.connection_invalidated or passing or away
