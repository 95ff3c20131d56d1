"""The transforms that seal, made as the program makes them, and engines with chains of them."""

from __future__ import annotations

from dataclasses import replace

from backy2_core.engine.checksums import Checksums
from backy2_core.engine.keyring import StoreKeyring
from backy2_plugins.transforms import aes_gcm, zstd
from tests.transforms.originals import opener

RING = StoreKeyring(bytes(range(32)))
OTHER_RING = StoreKeyring(bytes(range(32, 64)))
CHAINS = {"plain": (), "zstd": ("zstd",), "aes_gcm": ("aes_gcm",), "both": ("zstd", "aes_gcm")}


def zstd_step(parameters=None, level=1):
    """The transform ``zstd``."""
    return zstd.backy2_make_transform({"level": level}, parameters)


def aes_gcm_step(parameters=None, ring=RING):
    """The transform ``aes_gcm``."""
    return aes_gcm.backy2_make_transform({}, parameters, ring)


def step(name, parameters=None, ring=RING, level=1):
    """A transform by name: what seals, or what opens with these recorded parameters."""
    if name == "backy2_v1":
        return opener()
    return zstd_step(parameters, level) if name == "zstd" else aes_gcm_step(parameters, ring)


def engine_of(place, names, *, ring=RING, level=1, allow_clear=True, **options):
    """An engine that seals with the transforms of these names, and opens what any of them sealed under this keyring."""
    steps = [(name, step(name, None, ring, level)) for name in names]
    made = place.engine_with(
        steps, lambda name, parameters: step(name, parameters, ring), allow_clear=allow_clear, **options
    )
    return replace(made, keyring=ring, checksums=Checksums(ring))
