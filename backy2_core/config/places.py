"""Where files are looked for, and where they go if nothing else is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from backy2_core.errors import ConfigError

CONFIG_VARIABLE = "BACKY2_CONFIG"
SYSTEM_FILES = (Path("/etc/backy2/plugins.cfg"), Path("/etc/backy.cfg"))
SYSTEM_LOG_FILE = Path("/var/log/backy2.log")


def find_config(argument: str | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The configuration file to read, or None if there is none: then the embedded defaults hold.

    Raises :class:`ConfigError` for a file that may be there, but cannot be seen by this user: to go on to the next one would
    be to work with another database and store than was meant. An empty argument is such an error, too.

    In this order: the argument, ``$BACKY2_CONFIG``, ``~/.config/backy2/plugins.cfg`` (``$XDG_CONFIG_HOME``),
    ``/etc/backy2/plugins.cfg``, ``/etc/backy.cfg``. The first two must exist if they are given.
    """
    if argument == "":
        raise ConfigError(
            "--config names no file: its text is empty; leave it out, or check the variable that it came from"
        )
    for origin, named in (("--config", argument), (f"${CONFIG_VARIABLE}", environ.get(CONFIG_VARIABLE))):
        if named:
            path = Path(named).expanduser()
            if not _exists(path):
                raise ConfigError(f"{path}: there is no such configuration file; {origin} names it")
            return path
    return next((path for path in (own_config(environ), *SYSTEM_FILES) if _exists(path)), None)


def own_config(environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file of this user: ``~/.config/backy2/plugins.cfg`` (``$XDG_CONFIG_HOME``)."""
    return _home("XDG_CONFIG_HOME", ".config", environ) / "backy2" / "plugins.cfg"


def _exists(path: Path) -> bool:
    # Path.exists() hides some errors and lets others pass, by the release of Python.
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigError(f"{path}: the configuration file cannot be looked for: {error.strerror}") from error
    return True


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the embedded defaults keep blobs and database: ``~/.local/share/backy2`` (``$XDG_DATA_HOME``)."""
    return _home("XDG_DATA_HOME", ".local/share", environ) / "backy2"


def default_log_file(environ: Mapping[str, str] = os.environ) -> Path:
    """The log file if the configuration names none.

    ``$XDG_STATE_HOME/backy2/backy2.log`` where that is set, else ``/var/log/backy2.log`` for root, else
    ``~/.local/state/backy2/backy2.log``.
    """
    if os.geteuid() == 0 and not environ.get("XDG_STATE_HOME"):
        return SYSTEM_LOG_FILE
    return _home("XDG_STATE_HOME", ".local/state", environ) / "backy2" / "backy2.log"


def _home(variable: str, below_home: str, environ: Mapping[str, str]) -> Path:
    named = environ.get(variable, "")
    # The XDG rules: a relative path is to be ignored.
    return Path(named) if os.path.isabs(named) else Path.home() / below_home
