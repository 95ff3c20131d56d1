"""Command lines in processes that are forks of one in which everything is imported: each begins within milliseconds.

The server half (``python -m tests.keys.forks``) takes a JSON line a command and answers with its process id, or, asked to wait
for one, with its wait status. The client half is :class:`Forks`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "backy2_core.assembly.engines",
    "backy2_core.cli.commands.rekey",
    "backy2_core.engine.key_edits",
    "backy2_core.wrappers.sealed_documents",
    "backy2_plugins.data_backends.file.backend",
    "backy2_plugins.meta_backends.sql.backend",
    "cryptography.hazmat.primitives.keywrap",
    "zstandard",
)


class Forks:
    """Starts commands and waits for them. Used by one thread."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.keys.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment,
        )

    def start(self, *argv: str, folder: Path, output: Path | None = None, stdin: Path | None = None) -> int:
        """The process id of a command that runs in ``folder``."""
        job = {
            "argv": argv,
            "folder": str(folder),
            "output": str(output or os.devnull),
            "stdin": str(stdin or os.devnull),
        }
        return int(self._ask({"start": job}))

    def wait(self, pid: int) -> int:
        """The exit code of a command that was started, or minus the signal that killed it."""
        return os.waitstatus_to_exitcode(self._ask({"wait": pid}))

    def close(self) -> None:
        """End the server."""
        self._process.communicate()

    def _ask(self, request: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(json.loads(self._process.stdout.readline()))


def _serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        answer = _fork(**request["start"]) if "start" in request else os.waitpid(request["wait"], 0)[1]
        print(json.dumps(answer), flush=True)


def _fork(argv: list[str], folder: str, output: str, stdin: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.chdir(folder)
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(written, 1)
        os.dup2(written, 2)
        code = main(argv)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in MODULES:
        importlib.import_module(name)
    from backy2_core.cli.main import main

    _serve()
