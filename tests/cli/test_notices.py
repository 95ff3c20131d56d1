"""A key that other users of the machine may read is warned of at every run, until that is mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Backy

KEY = "0f" * 32


def written(backy: Backy, text: str) -> Path:
    config = backy.folder / "backy.cfg"
    config.write_text(
        f"{text}\n[meta_backend]\nengine = sqlite:///{backy.folder}/meta.sqlite\n"
        f"[data_backend]\npath = {backy.folder}/blobs\n"
    )
    config.chmod(0o644)
    return config


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("WARNING")]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"[DEFAULTS]\nencryption_key: {KEY}\n", "[DEFAULTS], key encryption_key"),
        (f"[key:main]\nsecret = {KEY}\n", "[key:main], key secret"),
        (f"[transform:backy2_v1]\nencryption_key = {KEY}\n", "[transform:backy2_v1], key encryption_key"),
    ],
)
def test_a_key_in_a_file_that_others_may_read_is_warned_of(backy: Backy, text: str, place: str) -> None:
    config = written(backy, text)
    ended = backy.call("-c", str(config), "initdb")
    assert ended.code == 0
    (warning,) = warnings(ended.err)
    assert place in warning
    assert f"chmod 600 {config}" in warning
    assert KEY not in ended.err
    assert warnings(backy.call("-m", "-c", str(config), "ls").err) == [warning]
    config.chmod(0o600)
    assert warnings(backy.call("-m", "-c", str(config), "ls").err) == []


def test_a_key_that_is_not_in_the_file_itself_is_not_warned_of(backy: Backy) -> None:
    config = written(backy, "[key:main]\nsecret = %(env:KEY_OF_A_TEST)s\n")
    assert warnings(backy.call("-c", str(config), "initdb").err) == []
