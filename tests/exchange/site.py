"""An installation with our own command in it, over a store that a release of the original filled."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from backy2_core.cli.main import main
from tests.support.original import OriginalInstallation, unpack

UNSTEADY = ("jobs", "uses")
"""Tables that every command writes to."""


class Site:
    """The folder of an original installation, without its database: our commands with its own ``backy.cfg``."""

    def __init__(self, folder: Path, release: str) -> None:
        self.original: OriginalInstallation = unpack(release, folder)
        self.folder = folder
        self.release = release
        self.original.database.unlink()
        self._restores = 0

    def call(self, *argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
        """Run a command; exit code, output, messages."""
        out, err = io.StringIO(), io.StringIO()
        old, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["-c", str(self.folder / "backy.cfg"), *argv])
        finally:
            sys.stdin = old
        return code, out.getvalue(), err.getvalue()

    def ok(self, *argv: str) -> str:
        """Run what must succeed; its output."""
        code, out, err = self.call(*argv)
        assert code == 0, err
        return out

    def import_(self, data: bytes, *argv: str) -> tuple[int, str]:
        """Import a dump from a file; exit code and messages."""
        path = self.folder / "dump"
        path.write_bytes(data)
        code, _, err = self.call("import", *argv, str(path))
        return code, err

    def export(self, uid: str, *argv: str) -> bytes:
        """The dump of a version."""
        path = self.folder / "exported"
        self.ok("export", *argv, uid, str(path))
        return path.read_bytes()

    def restore(self, uid: str) -> tuple[int, str]:
        """Exit code, and the SHA-256 of what was restored."""
        self._restores += 1
        target = self.folder / f"restored{self._restores}"
        code, _, _ = self.call("restore", uid, f"file://{target}")
        return code, hashlib.sha256(target.read_bytes()).hexdigest()

    def ls(self) -> dict[str, str]:
        """The state of each version by uid."""
        lines = self.ok("ls", "--format", "value", "-c", "uid", "-c", "state").splitlines()
        return dict(line.split() for line in lines)  # type: ignore[misc]

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of our database, but for what each command writes."""
        with closing(sqlite3.connect(self.folder / "backy.sqlite")) as connection:
            tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
        counters = [row for row in found.pop("backy2_counters") if row[0] != "jobs"]
        return {name: rows for name, rows in found.items() if not name.endswith(UNSTEADY)} | {"counters": counters}
