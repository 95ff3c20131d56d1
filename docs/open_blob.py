"""Opens one blob of an encrypted store without backy2, knowing only docs/format.md.

open_blob.py KEYS.JSON MASTER-KEY-FILE CHAIN BLOB > block

KEYS.JSON is backy2/keys.json of the store. The file with the master key holds 64 hexadecimal digits. CHAIN is what the database
has recorded with the blob, such as [["zstd",{}],["aes_gcm",{"format":1,"key":"0123456789abcdef"}]].
"""

import json
import sys
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap


def store_key(keys, master):
    """The store key, from the slot that this master key opens."""
    for slot in keys["slots"]:
        try:
            return aes_key_unwrap(master, bytes.fromhex(slot["wrapped"]))
        except InvalidUnwrap:
            continue
    raise SystemExit("this master key opens no slot")


keys, master_file, chain, blob = sys.argv[1:]
key = store_key(json.loads(Path(keys).read_bytes()), bytes.fromhex(Path(master_file).read_text()))
data = Path(blob).read_bytes()
for name, parameters in reversed(json.loads(chain)):
    if name == "aes_gcm":
        blob_key = HKDF(SHA256(), 32, None, b"aes_gcm blob").derive(key)
        own_key = HKDFExpand(SHA256(), 32, data[:24]).derive(blob_key)
        data = AESGCM(own_key).decrypt(bytes(12), data[24:], f"backy2 aes_gcm 1 {parameters['key']}".encode())
    elif name == "zstd":
        data = zstandard.ZstdDecompressor().decompress(data)
sys.stdout.buffer.write(data)
