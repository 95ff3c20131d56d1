"""What of an original configuration must not be ignored in silence."""

from __future__ import annotations

from tests.cli.conftest import Backy


def test_an_encryption_key_of_the_original_is_warned_of(backy: Backy) -> None:
    config = backy.folder / "backy.cfg"
    config.write_text(
        f"[DEFAULTS]\nlogfile: {backy.folder}/log\nencryption_key: {'0' * 64}\n"
        f"[MetaBackend]\ntype: backy2.meta_backends.sql\nengine: sqlite:///{backy.folder}/meta.sqlite\n"
        f"[DataBackend]\ntype: backy2.data_backends.file\npath: {backy.folder}/blobs\n"
    )
    ended = backy.call("-c", str(config), "initdb")
    assert ended.code == 0
    (warning,) = [line for line in ended.err.splitlines() if line.startswith("WARNING")]
    assert "encryption_key" in warning
    assert "0" * 64 not in (backy.folder / "log").read_text(encoding="utf-8")
    assert [line[:7] for line in backy.call("-m", "-c", str(config), "ls").err.splitlines()] == ["WARNING"]


def test_no_block_is_stored_clear_where_an_encryption_key_says_otherwise(backy: Backy) -> None:
    config, image = backy.folder / "backy.cfg", backy.folder / "image"
    image.write_bytes(b"secret" * 1000)
    text = (
        f"[DEFAULTS]\nlogfile: {backy.folder}/log\nencryption_key: {'0' * 64}\n%s"
        f"[MetaBackend]\ntype: backy2.meta_backends.sql\nengine: sqlite:///{backy.folder}/meta.sqlite\n"
        f"[DataBackend]\ntype: backy2.data_backends.file\npath: {backy.folder}/blobs\n"
    )
    config.write_text(text % "")
    assert backy.call("-c", str(config), "initdb").code == 0
    refused = backy.call("-c", str(config), "backup", f"file://{image}", "vm")
    assert refused.code == 10
    assert "encryption_version" in refused.err
    assert not (backy.folder / "blobs").exists()
    config.write_text(text % "encryption_version: 0\n")
    assert backy.call("-c", str(config), "backup", f"file://{image}", "vm").code == 0
