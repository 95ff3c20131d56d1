"""Blobs that the original encrypted, with what its dumps say of them, and a sealer that makes more of the kind."""

from __future__ import annotations

import csv
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from backy2_core.api import Sealed, Secret, Transform
from backy2_plugins.transforms import backy2_v1

ORIGINALS = Path(__file__).parent.parent / "data" / "original"
KEY = "decafbad" * 8
OTHER_KEY = "0badcafe" * 8
DUMPS = {"213-enc-bs4096": ("a1.csv", "b1.csv"), "213-mixed-bs65536": ("a2.csv", "a3.csv")}


@dataclass(frozen=True)
class Original:
    """An encrypted blob of the original, and the row of its block."""

    uid: str
    blob: bytes
    envelope: bytes
    size: int
    sha512: str


def encrypted_blobs(name: str) -> list[Original]:
    """Every encrypted blob that the dumps of a fixture name and its store has, each once."""
    with tarfile.open(ORIGINALS / name / "data.tar.gz") as tar:
        files = {
            Path(m.name).stem: file.read() for m in tar if m.name.endswith(".blob") and (file := tar.extractfile(m))
        }
    found = {}
    for dump in DUMPS[name]:
        with (ORIGINALS / name / dump).open(newline="", encoding="utf-8") as file:
            for uid, _, _, _, checksum, size, _, version, envelope, _ in list(csv.reader(file))[2:]:
                if version == "1" and uid in files:
                    found[uid] = Original(uid, files[uid], bytes.fromhex(envelope), int(size), checksum)
    return list(found.values())


def opener(key: str | None = KEY, former: str | None = None) -> Transform:
    """What opens, made as the program makes it."""
    settings = {
        "encryption_key": None if key is None else Secret(key),
        "former_encryption_keys": None if former is None else Secret(former),
    }
    return backy2_v1.backy2_make_transform(settings, {})


def seal(frame: bytes, key: str = KEY) -> Sealed:
    """Encrypt a frame, whatever is in it, as the original did."""
    own, nonce = os.urandom(32), os.urandom(16)
    sealed = AESGCM(own).encrypt(nonce, frame, None)
    return Sealed(memoryview(sealed[-16:] + nonce + sealed[:-16]), aes_key_wrap(bytes.fromhex(key), own))


class Sealer(Transform):
    """Seals as the original did, and opens with ours."""

    def __init__(self, key: str = KEY) -> None:
        self._key = key
        self._opener = opener(key)

    @property
    def parameters(self):
        return self._opener.parameters

    def seal(self, data):
        return seal(zstandard.ZstdCompressor(level=1).compress(data), self._key)

    def unseal(self, data, envelope, clear_size):
        return self._opener.unseal(data, envelope, clear_size)
