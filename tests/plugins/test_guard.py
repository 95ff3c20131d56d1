"""A stranger's code cannot end the program, and cannot keep it from ending."""

from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from backy2_core.cli.signals import Terminated
from backy2_core.plugins.guard import Unusable, import_with_care, run_with_care


def raising(error: BaseException) -> None:
    raise error


class Wild(BaseException):
    """No exception that is usually caught."""


@pytest.mark.parametrize("error", [RuntimeError("x"), SystemExit(3), Wild("x"), AssertionError("x")])
def test_whatever_is_raised_becomes_a_reason(error: BaseException) -> None:
    with pytest.raises(Unusable, match=f"the hook raised {type(error).__name__}: [x3]"):
        run_with_care("the hook", lambda: raising(error))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Terminated(signal.SIGTERM)])
def test_being_told_to_stop_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        import_with_care("module", lambda: raising(error))


def test_named_errors_pass() -> None:
    with pytest.raises(LookupError):
        run_with_care("the hook", lambda: raising(KeyError("x")), LookupError)


def test_what_is_printed_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_with_care("the hook", lambda: sys.stdout.write("noise\n")) == 6
    assert capsys.readouterr() == ("", "noise\n")


def test_the_limit_can_be_set_and_lifted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKY2_PLUGIN_SECONDS", "0.05")
    with pytest.raises(Unusable, match=r"importing slow took more than 0\.05 seconds and was given up"):
        import_with_care("slow", lambda: time.sleep(10))
    monkeypatch.setenv("BACKY2_PLUGIN_SECONDS", "0")
    import_with_care("slow", lambda: time.sleep(0.1))
    monkeypatch.setenv("BACKY2_PLUGIN_SECONDS", "soon")
    import_with_care("slow", lambda: time.sleep(0.1))


def test_a_thread_beside_the_main_one_can_load_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKY2_PLUGIN_SECONDS", "5")
    loaded: list[int] = []
    thread = threading.Thread(target=lambda: loaded.append(import_with_care("module", lambda: 7)))
    thread.start()
    thread.join()
    assert loaded == [7]
