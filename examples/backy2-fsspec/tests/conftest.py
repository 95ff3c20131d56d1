"""The SSH server that the tests of this folder share, and a network to it that can be cut."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


def sibling(name: str) -> ModuleType:
    """A module beside this one. It has a name of its own: other distributions have folders called tests as well."""
    full = f"backy2_fsspec_tests_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(__file__).parent / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[object]:
    """A running SSH server; skips where there is none to run."""
    sshd = sibling("sshd")
    if sshd.missing():
        pytest.skip(sshd.missing())
    pytest.importorskip("paramiko", reason="paramiko is missing; install it with: pip install paramiko")
    with sshd.running_server() as server:
        yield server


@pytest.fixture
def relay(ssh_server) -> Iterator[object]:
    """A network to the server that can be cut."""
    relay = sibling("relay").Relay(ssh_server.port)
    yield relay
    relay.cut()
