"""The S3 sections of the original's ``backy.cfg`` are understood as they stand, of all of its releases."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from backy2_core.config.load import load_config
from backy2_core.plugins.discovery import DATA_BACKENDS
from backy2_core.plugins.registry import PluginRegistry
from backy2_plugins.data_backends.s3.options import S3Options, options_of
from tests.support.original import unpack
from tests.support.s3 import S3Server

SECTIONS = {
    "2.9": (
        """
type: backy2.data_backends.s3
aws_access_key_id: key
aws_secret_access_key: secret
host: 127.0.0.1
port: 10001
is_secure: false
bucket_name: backy2
simultaneous_writes: 5
simultaneous_reads: 5
bandwidth_read: 78643200
bandwidth_write: 78643200
""",
        "http://127.0.0.1:10001",
    ),
    "2.13": (
        """
type: backy2.data_backends.s3
aws_access_key_id_file: {folder}/key
aws_secret_access_key_file: {folder}/secret
endpoint_url: https://s3.example.org
region_name:
use_ssl: false
addressing_style: path
signature_version: s3v4
disable_encoding_type: true
multi_delete: true
bucket_name: backy2
simultaneous_writes: 5
simultaneous_reads: 5
""",
        "https://s3.example.org",
    ),
    "2.13 without values": (
        """
type: backy2.data_backends.s3_boto3
aws_access_key_id: key
aws_secret_access_key: secret
endpoint_url: https://s3.example.org/
region_name:
use_ssl:
addressing_style:
signature_version:
disable_encoding_type:
""",
        "https://s3.example.org",
    ),
    "minio": (
        """
type: backy2.data_backends.minio
aws_access_key_id: key
aws_secret_access_key: secret
host: minio.example.org:9000
secure: true
bucket_name: backy2
region_name: eu-1
simultaneous_writes: 5
simultaneous_reads: 5
""",
        "https://minio.example.org:9000",
    ),
}


def options(folder: Path, text: str) -> S3Options:
    """What such a section means."""
    (folder / "key").write_text("key\n")
    (folder / "secret").write_text("secret\n")
    path = folder / "backy.cfg"
    path.write_text(f"[DEFAULTS]\nlogfile: /var/log/backy.log\n[DataBackend]\n{text.format(folder=folder)}")
    config, registry = load_config(str(path)), PluginRegistry()
    assert config.type_of("data_backend") == "s3"
    return options_of(config.plugin_settings("data_backend", registry.settings(registry.load(DATA_BACKENDS, "s3"))))


@pytest.mark.parametrize("release", SECTIONS)
def test_the_section_is_understood(tmp_path: Path, release: str) -> None:
    text, endpoint = SECTIONS[release]
    found = options(tmp_path, text)
    assert (found.endpoint, found.bucket, found.prefix) == (endpoint, "backy2", "")
    assert found.addressing_style == "path"
    assert found.credentials.access_key_id == "key"
    assert found.credentials.secret_access_key is not None
    assert found.credentials.secret_access_key.reveal() == "secret"
    assert found.encoded_listings == (release != "2.13")
    assert found.region == ("eu-1" if release == "minio" else None)
    assert (found.reads, found.writes) == ((8, 8) if release == "2.13 without values" else (5, 5))


@pytest.mark.parametrize("release", ["2917-bs65536", "213-enc-bs4096"])
def test_an_installation_in_a_bucket_is_taken_over_where_it_stands(
    tmp_path: Path, moto: S3Server, release: str
) -> None:
    original, bucket = unpack(release, tmp_path / "original"), moto.make_bucket()
    for path in original.folder.glob("data/*/*/*.blob"):
        moto.client().put_object(Bucket=bucket, Key=path.stem, Body=path.read_bytes())
    host, port = moto.endpoint.removeprefix("http://").split(":")
    keys = [
        line for line in (original.folder / "backy.cfg").read_text().splitlines() if line.startswith("encryption_key")
    ]
    config = tmp_path / "backy.cfg"
    config.write_text(
        "\n".join(["[DEFAULTS]", f"logfile: {tmp_path}/log", "hash_function: sha512", *keys])
        + f"""
[MetaBackend]
type: backy2.meta_backends.sql
engine: sqlite:///{original.database}

[DataBackend]
type: backy2.data_backends.s3
aws_access_key_id: {moto.access_key}
aws_secret_access_key: {moto.secret_key}
host: {host}
port: {port}
is_secure: false
bucket_name: {bucket}
"""
    )
    assert original.good
    main(["-c", str(config), "adopt"])
    for uid, digest in original.good.items():
        assert main(["-c", str(config), "restore", uid, f"file://{tmp_path}/{uid}"]) == 0
        assert hashlib.sha256((tmp_path / uid).read_bytes()).hexdigest() == digest
