"""The modules that plant the faults of each role."""

from __future__ import annotations

import importlib

from tests.planted.fault import Faults

MODULES = {
    "data_backend": "data_backend",
    "source": "source",
    "target": "target",
    "snapshots": "snapshots",
    "transform": "transform",
    "formatter": "formatter",
    "listener": "listener",
    "meta_backend": "meta_backend",
}


def faults_of(role: str) -> Faults:
    """All that is planted in one role."""
    faults = importlib.import_module(f"tests.planted.{MODULES[role]}").FAULTS
    assert isinstance(faults, Faults)
    return faults
