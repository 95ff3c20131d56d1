"""Installations that the original encrypted: with a wrong key nothing is done, and nothing held against what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.exchange import dumps
from tests.exchange.site import Site
from tests.faults.site import KEYRING

WRONG = "00" * 32


@pytest.mark.parametrize("release", ["213-enc-bs4096", "213-mixed-bs65536"])
def test_a_wrong_key_is_named_and_changes_no_state(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "original", release)
    monkeypatch.chdir(site.folder)
    site.ok("initdb")
    for name in dumps.names(release):
        site.import_(dumps.dump(release, name))
    states = site.ls()
    assert set(site.original.good) <= set(states)
    config = site.folder / "backy.cfg"
    right = config.read_text()
    config.write_text(re.sub(r"[0-9a-f]{64}", WRONG, right))
    for uid in site.original.good:
        target = site.folder / f"target-{uid}"
        for argv in (["restore", uid, f"file://{target}"], ["scrub", uid]):
            code, _, err = site.call(*argv)
            assert code == KEYRING, err
            assert re.search(r"encryption_key \(fingerprint [0-9a-f]{8}\)", err)
        assert not target.exists()
    assert site.ls() == states
    config.write_text(right)
    for uid, digest in site.original.good.items():
        assert site.restore(uid) == (0, digest)
