"""An installation whose configuration names keys, and ways to run commands in it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backy2_core.cli.main import main
from tests.cli.conftest import Ended
from tests.keys.forks import Forks

MAIN, OTHER, THIRD = "a1" * 32, "b2" * 32, "c3" * 32
CHAIN = "[backy2]\ntransforms = zstd, aes_gcm\nblock_size = 64k\n"


class KeySite:
    """A folder with a configuration, a database, a store and an image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "plugins.cfg"
        self.image = folder / "image"
        self.store = folder / "store"
        self.database = folder / "meta.sqlite"
        self.content = random.Random(str(folder.name)).randbytes(200_000) + bytes(100_000) + b"words " * 20_000
        self.image.write_bytes(self.content)
        self._restores = 0

    @property
    def document(self) -> Path:
        return self.store / "backy2" / "keys.json"

    @property
    def slots(self) -> list[str]:
        """Ids of the slots in the store's document."""
        return [slot["id"] for slot in json.loads(self.document.read_bytes())["slots"]]

    @property
    def note(self) -> bytes | None:
        """The copy in the database."""
        with contextlib.closing(sqlite3.connect(self.database)) as opened:
            row = opened.execute("SELECT data FROM backy2_notes WHERE name = 'keys'").fetchone()
        return row and row[0]

    def configure(self, *keys: str, core: str = CHAIN, **secrets: str) -> None:
        """Write the configuration: ``secrets`` are the values of keys by id, ``keys`` whole sections."""
        sections = [f"[key:{key_id}]\nsecret = {secret}" for key_id, secret in secrets.items()]
        self.config.write_text(
            f"{core}\n[data_backend]\npath = {self.store}\nflush_method = fsync\n[meta_backend]\nengine = sqlite:///{self.database}\n"
            + "\n".join([*sections, *keys])
        )
        self.config.chmod(0o600)

    def call(self, *argv: str, stdin: str = "") -> Ended:
        """Run a command within this process."""
        out, err = io.StringIO(), io.StringIO()
        old, sys.stdin = sys.stdin, io.StringIO(stdin)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(["-c", str(self.config), *argv])
        finally:
            sys.stdin = old
        return Ended(code, out.getvalue(), err.getvalue())

    def ok(self, *argv: str, stdin: str = "") -> str:
        """Run a command that must succeed; its output."""
        ended = self.call(*argv, stdin=stdin)
        assert ended.code == 0, ended.err
        return ended.out

    def rows(self, *argv: str) -> list[dict[str, Any]]:
        """The rows that a list prints."""
        rows: list[dict[str, Any]] = json.loads(self.ok(*argv, "-f", "json"))
        return rows

    def backup(self) -> str:
        """Back up the image; the uid."""
        return self.ok("-m", "backup", f"file://{self.image}", "vm").strip()

    def restored(self, uid: str) -> str:
        """The SHA-256 of what a restore, which must succeed, wrote."""
        self._restores += 1
        target = self.folder / f"restored{self._restores}"
        self.ok("restore", uid, f"file://{target}")
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        target.unlink()
        return digest

    def holds(self, uid: str) -> bool:
        """True if the version restores to the image."""
        return self.restored(uid) == hashlib.sha256(self.content).hexdigest()

    def state(self) -> dict[str, Any]:
        """All that a command may change: every file of the store, and every row that says more than that a command ran."""
        files = {str(path): path.read_bytes() for path in self.store.rglob("*") if path.is_file()}
        with contextlib.closing(sqlite3.connect(self.database)) as opened:
            names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = {name: opened.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        return files | {name: found for name, found in rows.items() if not name.endswith(("jobs", "uses", "counters"))}


@pytest.fixture
def site(tmp_path: Path) -> KeySite:
    """Set up, with one key configured, and nothing stored yet."""
    made = KeySite(tmp_path)
    made.configure(main=MAIN)
    made.ok("initdb")
    return made


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Runs commands in other processes."""
    made = Forks()
    yield made
    made.close()


def write_key(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file with a key in it."""
    path.write_text(text)
    os.chmod(path, mode)
    return path
