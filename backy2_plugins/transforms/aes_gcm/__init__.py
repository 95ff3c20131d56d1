"""Transform ``aes_gcm``: encrypts each block with AES-256-GCM, under a key of its own that comes from the store key."""

from __future__ import annotations

from backy2_core.api import Keyring, KeyringError, Settings, Transform, TransformError, hookimpl

backy2_api_version = 1

FORMAT = 1
"""Of what is sealed; recorded with each blob."""

_DOCUMENTATION = "docs/encryption.md says how"


@hookimpl
def backy2_make_transform(
    settings: Settings, parameters: dict[str, str | int] | None, keyring: Keyring | None
) -> Transform:
    """Make a step that seals and opens under the store key; it has no settings."""
    recorded = {} if parameters is None else dict(parameters)
    key_id = recorded.pop("key", None)
    if parameters is not None and (recorded != {"format": FORMAT} or not isinstance(key_id, str)):
        raise TransformError(
            f"A blob is recorded as sealed by aes_gcm with {parameters}; this release opens format {FORMAT} with a key. A "
            "later release may have stored it, or its record was edited."
        )
    if keyring is None or key_id not in (None, keyring.key_id):
        raise KeyringError(_closed(key_id, keyring))
    # Imported here: the library is needed by who encrypts, not by who lists plugins.
    from backy2_plugins.transforms.aes_gcm.blobs import AesGcm

    return AesGcm(keyring, FORMAT)


def _closed(key_id: str | int | None, keyring: Keyring | None) -> str:
    if key_id is None:
        return (
            "Blocks are to be encrypted by aes_gcm, and the store has no keys. Make a key with `backy2 key new`, and put it "
            f"into a section [key:ID] of the configuration; {_DOCUMENTATION}. Nothing was stored."
        )
    if keyring is None:
        return (
            f"A blob was encrypted by aes_gcm under store key {key_id}, and no store key is open. Put a key that opens it "
            f"into a section [key:ID] of the configuration; {_DOCUMENTATION}. This proves nothing about the blob."
        )
    return (
        f"A blob was encrypted by aes_gcm under store key {key_id}, and here store key {keyring.key_id} is open. Is this the "
        "right store, and is its keys.json whole? `backy2 key check` says more. This proves nothing about the blob."
    )
