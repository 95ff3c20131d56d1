"""Ceph's Python modules ``rados`` and ``rbd``, loaded when they are needed first."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

from backy2_core.api import PluginError

_SYSTEM = Path("/usr/lib/python3/dist-packages")


def load(name: str, user: str) -> Any:
    """The module of this name, for the plugin that a message calls ``user``. Raises :class:`PluginError` if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PluginError(missing(name, user, error, _SYSTEM)) from error


def missing(name: str, user: str, error: ImportError, system: Path) -> str:
    """What to say where a module cannot be imported; ``system`` is where the packages of the system put theirs."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    # The module rbd works with objects of the module rados.
    packages = "packages python3-rbd and python3-rados" if name == "rbd" else f"package python3-{name}"
    built = re.findall(r"cpython-3(\d+)-", " ".join(path.name for path in system.glob(f"{name}.cpython-*.so")))
    advice = f"install the {packages}; what is in there fits the Python of the system only"
    if built:
        advice = f"the one in {system} ({packages}) is for Python 3.{built[0]}; run backy2 with it"
        if built[0] == str(sys.version_info.minor):
            advice = f"link {name}.cpython-*.so from {system} ({packages}) into site-packages"
    return (
        f"{user} needs Ceph's module {name}, which this Python {version} ({sys.executable}) lacks ({error}): {advice}"
    )
