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

IGNORED_SECTIONS = {
    "NBD": "there is no NBD server",
    "Reader": "sources are opened by URL; 2.2 had one kind of them, set here",
}
"""Its sections that have no meaning here, and why."""

IGNORED_KEYS = {
    ("DEFAULTS", "lock_dir"): "jobs hold leases in the database, there are no lock files",
    ("DEFAULTS", "cachedir"): "there is no cache of blocks",
    ("DEFAULTS", "encryption_version"): "each blob's record says whether it is encrypted",
}
"""Its keys that are accepted and not used, and why. Those of backends and sources are declared by the plugins."""

MOVED_KEYS = {("DEFAULTS", "encryption_key"): "transform:backy2_v1"}
"""Its keys that belong to another section of ours than the rest of their section, and to which."""

DEFAULT_VALUES = {"hash_function": "sha512"}
"""What holds for section ``[backy2]`` where its file says nothing, so that new versions share blocks with old ones."""

_TYPE_PREFIXES = {"data_backend": "backy2.data_backends.", "meta_backend": "backy2.meta_backends."}
_TYPES = {("data_backend", "files"): "file"}
_NO_ENCRYPTION = "0"
_NOTICE = (
    "keys encryption_key and encryption_version: what the original encrypted can be read, but blocks cannot be stored "
    "encrypted yet"
)


def plugin_name(section: str, written: str) -> str:
    """The name of the plugin that ``type`` means: the original wrote a Python module, 2.2 a word of its own."""
    name = written.removeprefix(_TYPE_PREFIXES.get(section, ""))
    return _TYPES.get((section, name), name)


def notices(section: str, values: dict[str, str]) -> list[str]:
    """What must be said of a section of the original, since ignoring it in silence could do harm."""
    if section != "DEFAULTS":
        return []
    # Without a version, a key alone meant that blocks were to be encrypted.
    version = values.get("encryption_version", "1" if "encryption_key" in values else _NO_ENCRYPTION)
    if version.strip() == _NO_ENCRYPTION:
        return []
    return [_NOTICE]
