"""What the original's ``backy.cfg`` says, in our words."""

from __future__ import annotations

from collections.abc import Mapping

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
    ("DataBackend", "use_ssl"): "the endpoint's URL says it",
    ("DataBackend", "signature_version"): "requests are signed by version 4, which every server knows",
    (
        "DEFAULTS",
        "encryption_version",
    ): "it only says whether new blocks are to be encrypted; records say how each blob is",
}
"""Its keys that are accepted and not used, and why. Those of backends and sources are declared by the plugins."""

MASTER_KEY = "encryption_key"
"""Its one key, in ``[DEFAULTS]``; the id of that key here."""

MOVED_KEYS = {("DEFAULTS", MASTER_KEY): "transform:backy2_v1"}
"""Its keys that belong to another section of ours than the rest of their section, and to which."""

_HASH = "sha512"
_ENCRYPTED = "zstd, aes_gcm"
_TYPE_PREFIXES = {"data_backend": "backy2.data_backends.", "meta_backend": "backy2.meta_backends."}
_TYPES = {
    ("data_backend", "files"): "file",
    ("data_backend", "s3_boto3"): "s3",
    ("data_backend", "minio"): "s3",
}
_NO_ENCRYPTION = "0"


def plugin_name(section: str, written: str) -> str:
    """The name of the plugin that ``type`` means: the original wrote a Python module, 2.2 a word of its own."""
    name = written.removeprefix(_TYPE_PREFIXES.get(section, ""))
    return _TYPES.get((section, name), name)


def default_values(values: Mapping[str, str]) -> dict[str, str]:
    """What holds for section ``[backy2]`` where its ``[DEFAULTS]``, which are given, say nothing.

    The hash function is the original's, so that new versions share blocks with old ones; and where it was to store blocks
    compressed and encrypted, so are we.
    """
    return {"hash_function": _HASH} | ({"transforms": _ENCRYPTED} if encrypts(values) else {})


def encrypts(values: Mapping[str, str]) -> bool:
    """True if ``[DEFAULTS]`` mean that new blocks are to be encrypted: a key alone did, unless the version is 0.

    Raises :class:`ValueError` for a version that the original never had.
    """
    version = values.get("encryption_version", "1" if MASTER_KEY in values else _NO_ENCRYPTION).strip()
    if "%" not in version and version not in (_NO_ENCRYPTION, "1"):
        raise ValueError(f"key encryption_version: {version!r} is none that the original had; expected 0 or 1")
    return version != _NO_ENCRYPTION
