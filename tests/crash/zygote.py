"""A process with everything imported, of which each child is a fork: a child so costs milliseconds, not a third of a second.

The server half (``python -m tests.crash.zygote``) never starts a thread nor opens a database, so forking it is safe. It
takes one JSON line a request and answers with one. The client half is :class:`Zygote`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).resolve().parents[2]


class Zygote:
    """Starts children and waits for them. Used by one thread."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(_ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=environment,
        )

    def start(self, job: dict[str, Any], output: Path) -> int:
        """The process id of a child that does this job; what it prints goes to ``output``."""
        return int(self._ask({"start": job, "output": str(output)})["pid"])

    def wait(self, pid: int, *, stopped_too: bool = False, timeout_s: float = 60.0) -> int:
        """The wait status of a child that ended, or (``stopped_too``) was stopped by a signal.

        One that does neither in time is killed, and TimeoutError is raised.
        """
        status = self._ask({"wait": pid, "stopped_too": stopped_too, "timeout_s": timeout_s})["status"]
        if status is None:
            os.kill(pid, signal.SIGKILL)
            raise TimeoutError(f"the child {pid} did not end within {timeout_s} s, and was killed")
        return int(status)

    def close(self) -> None:
        """End the process, and with it every child that is left."""
        self._process.communicate()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _serve() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = {"pid": _fork(request["start"], request["output"])}
        else:
            flags = os.WUNTRACED if request["stopped_too"] else 0
            answer = {"status": _wait(request["wait"], flags, request["timeout_s"])}
        print(json.dumps(answer), flush=True)


def _fork(job: dict[str, Any], output: str) -> int:
    pid = os.fork()
    if pid == 0:
        _be_child(job, output)
    return pid


def _be_child(job: dict[str, Any], output: str) -> NoReturn:
    code = 1
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        code = child.run(child.Job(**job))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, flags: int, timeout_s: float) -> int | None:
    deadline = time.monotonic() + timeout_s
    while True:
        found, status = os.waitpid(pid, flags | os.WNOHANG)
        if found:
            return status
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        signal.sigtimedwait({signal.SIGCHLD}, left)


if __name__ == "__main__":
    import backy2_plugins.meta_backends.sql.backend
    import backy2_plugins.meta_backends.sql.migrate  # noqa: F401
    from tests.crash import child

    gc.freeze()  # or a collection in a child would copy all pages that it shares
    _serve()
