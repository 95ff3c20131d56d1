"""Watches all tests for secrets in what the program puts out: a pytest plugin, loaded for the whole suite.

Secrets register themselves: whatever becomes a :class:`Secret`, a master key or a store key while a test runs is looked for in
all that a command within this process printed, in all that other processes were heard to say, and at the end of the test in
the log files in its folders. So no test has to remember it.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import backy2_core.cli.main as program
from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.keyring import StoreKeyring
from backy2_core.model.secret import Secret
from backy2_plugins.transforms.backy2_v1.keys import MasterKey as OriginalKey

LEAST = 8
"""Shorter ones are words that stand in a text by chance."""
ALWAYS = ("decafbad" * 8,)
"""The key of the installations in tests/data, which releases of the original encrypted."""

_KEY = re.compile(r"[0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=")
_URL = re.compile(r"\w+://(?:[^/@:]*:(?P<password>.*)@)?", re.DOTALL)
_LOG = re.compile(r"log|.*\.log(\.\d+)?")
_STORES = re.compile(r"[0-9a-f]{2}|data|store|blobs|backy2-tmp")
_MOST_BYTES = 20_000_000


@dataclass
class SecretWatch:
    """The secrets of the test that runs, and where they were seen."""

    secrets: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)
    _read: dict[tuple[int, int], int] = field(default_factory=dict)

    def know(self, text: str) -> None:
        """A secret in its own words: a key, a URL with a password in it, or anything else that is none to be shown."""
        url = _URL.match(text)
        secret = (url["password"] or "") if url else text.strip()
        if len(secret) >= LEAST:
            self.secrets.add(secret)
        if _KEY.fullmatch(secret):
            self.know_bytes(bytes.fromhex(secret) if len(secret) == 64 else base64.b64decode(secret))

    def know_bytes(self, raw: bytes) -> None:
        """A key."""
        if any(raw):  # a key of zeros looks like many a number
            self.secrets |= {raw.hex(), raw.hex().upper(), base64.b64encode(raw).decode()}
        if len(set(raw)) > 1:  # so many equal characters may underline something
            self.secrets.add(repr(raw)[2:-1])

    def look(self, place: str, text: str | bytes | None) -> None:
        """Note every secret in a text."""
        if not text or len(text) > _MOST_BYTES:
            return
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        for secret in self.secrets.union(ALWAYS):
            at = text.find(secret)
            if at >= 0:
                around = text[max(0, at - 80) : at] + "<SECRET>" + text[at + len(secret) :][:40]
                self.leaks.append(f"{place}: ...{around}...")

    def look_into(self, folder: Path) -> None:
        """Look at the log files below a folder."""
        for parent, folders, names in os.walk(folder):
            folders[:] = [name for name in folders if not _STORES.fullmatch(name)]
            for name in filter(_LOG.fullmatch, names):
                path = Path(parent, name)
                if path.is_file():
                    self.look(str(path), self._news(path))

    def _news(self, path: Path) -> bytes:
        """What was written to a log since it was last looked at: that of the home folder grows with every test."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            file.seek(min(self._read.get((status.st_dev, status.st_ino), 0), status.st_size))
            text = file.read(_MOST_BYTES)
            self._read[status.st_dev, status.st_ino] = file.tell()
            return text

    def end(self) -> list[str]:
        """What was seen; then all is forgotten."""
        found, self.leaks = self.leaks, []
        self.secrets.clear()
        return found


watch = SecretWatch()


def watched(main: Callable[..., int]) -> Callable[..., int]:
    """The console script, whose output is looked at where it can be read again."""

    @functools.wraps(main)
    def run(argv: Any = None) -> int:
        try:
            return main(argv)
        finally:
            for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
                if isinstance(stream, io.StringIO):
                    watch.look(f"{name} of backy2 {' '.join(map(str, argv or ()))[:60]}", stream.getvalue())

    return run


def _after(function: Callable[..., Any], then: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(function)
    def both(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        then(result, *args)
        return result

    return both


def _heard(result: tuple[Any, Any], process: subprocess.Popen[Any], *_: Any) -> None:
    if isinstance(process.args, str):
        return  # a command that the configuration takes a secret from
    for text in result:
        watch.look(f"a process ({str(process.args)[-80:]})", text)


# Done when pytest loads its plugins, and so before any test module takes hold of a function by its name.
program.main = watched(program.main)
subprocess.Popen.communicate = _after(subprocess.Popen.communicate, _heard)  # type: ignore[method-assign]
Secret.__init__ = _after(Secret.__init__, lambda _, own, text: watch.know(text))  # type: ignore[method-assign]
StoreKeyring.__init__ = _after(  # type: ignore[method-assign]
    StoreKeyring.__init__, lambda _, own, key, *former: watch.know_bytes(key)
)
for kind in (MasterKey, OriginalKey):
    kind.__init__ = _after(  # type: ignore[method-assign]
        kind.__init__, lambda _, own, *values: watch.know_bytes(own.raw)
    )


def _folders(item: pytest.Item) -> Iterator[Path]:
    for value in getattr(item, "funcargs", {}).values():
        folder = value if isinstance(value, Path) else getattr(value, "folder", None)
        if isinstance(folder, Path) and folder.is_dir():
            yield folder
    state = os.environ.get("XDG_STATE_HOME")
    if state and Path(state).is_dir():
        yield Path(state)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Look at the logs of the test, and fail it where a secret was seen."""
    for folder in set(_folders(item)):
        watch.look_into(folder)
    yield
    leaks = watch.end()
    if leaks:
        pytest.fail("secrets were seen:\n" + "\n".join(leaks[:10]), pytrace=False)
