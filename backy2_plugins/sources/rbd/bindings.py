"""Ceph's Python modules, loaded when they are needed first."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from backy2_core.api import PluginError

_SYSTEM = Path("/usr/lib/python3/dist-packages")


def rados() -> Any:
    """The module ``rados``. Raises :class:`PluginError` where it is missing."""
    return _load("rados")


def rbd() -> Any:
    """The module ``rbd``. Raises :class:`PluginError` where it is missing."""
    return _load("rbd")


def _load(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PluginError(missing(name, error, _SYSTEM)) from error


def missing(name: str, error: ImportError, system: Path) -> str:
    """What to say where a module cannot be imported; ``system`` is where the packages of the system put theirs."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    built = re.findall(r"cpython-3(\d+)-", " ".join(path.name for path in system.glob(f"{name}.cpython-*.so")))
    advice = "install the packages python3-rbd and python3-rados; they fit the Python of the system only"
    if built:
        advice = (
            f"the one in {system} (packages python3-rbd, python3-rados) is for Python 3.{built[0]}; run backy2 with it"
        )
        if built[0] == str(sys.version_info.minor):
            advice = f"link {name}.cpython-*.so from {system} (packages python3-rbd, python3-rados) into site-packages"
    return f"source rbd needs Ceph's module {name}, which this Python {version} ({sys.executable}) lacks ({error}): {advice}"
