"""What the original's ``backy.cfg`` says, in our words."""

from __future__ import annotations

SECTIONS = {
    "DEFAULTS": "backy2",
    "MetaBackend": "meta_backend",
    "DataBackend": "data_backend",
    "io_file": "source:file",
    "io_rbd": "source:rbd",
    "io_null": "source:null",
}
"""Its sections, and which of ours each one is."""

IGNORED_SECTIONS = {"NBD": "there is no NBD server"}
"""Its sections that have no meaning here, and why."""

_KEY = "it belongs to the original's own encryption; blocks stored from now on do not get it"

IGNORED_KEYS = {
    ("DEFAULTS", "lock_dir"): "jobs hold leases in the database, there are no lock files",
    ("DEFAULTS", "cachedir"): "there is no cache of blocks",
    ("DEFAULTS", "encryption_key"): _KEY,
    ("DEFAULTS", "encryption_version"): _KEY,
}
"""Its keys that are accepted and not used, and why. Those of backends and sources are declared by the plugins."""

_TYPE_PREFIXES = {"data_backend": "backy2.data_backends.", "meta_backend": "backy2.meta_backends."}


def plugin_name(section: str, written: str) -> str:
    """The name of the plugin that ``type`` means: the original wrote a Python module."""
    return written.removeprefix(_TYPE_PREFIXES.get(section, ""))


def notices(section: str, values: dict[str, str]) -> list[str]:
    """What must be said of a section of the original, since ignoring it in silence could do harm."""
    if section != "DEFAULTS" or "encryption_key" not in values or values.get("encryption_version", "").strip() == "0":
        return []
    return ["key encryption_key is not used: blocks stored from now on are not encrypted by it"]
