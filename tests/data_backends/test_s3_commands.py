"""Commands on a real Ceph gateway: there and back, cleaned up and recovered; and what a gateway that is killed does to them."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from backy2_core.cli.main import main
from tests.support.ceph import Cluster, skip_without_ceph
from tests.support.proxy import Proxy
from tests.support.s3 import S3Server

MIB = 1024 * 1024
PATIENCE_S = 60
BURST_S = 0.25
"""What was not read for so long may be read at once, above the limit."""


class Site:
    """A configuration, an image and a database in a folder."""

    def __init__(self, folder: Path, server: S3Server, bucket: str, *, retry_limit: str = "30s", **settings: object):
        self.folder = folder
        self.image = folder / "image"
        self.config = folder / "plugins.cfg"
        self.config.write_text(
            f"[backy2]\nblock_size = 256k\nflush_size = 2M\nretry_limit = {retry_limit}\nlogfile = {folder}/log\n"
            f"{server.section(bucket, **settings)}[meta_backend]\nengine = sqlite:///{folder}/backy2.sqlite\n"
        )

    def write(self, seed: int, size: int = 8 * MIB) -> bytes:
        """A new image."""
        content = random.Random(seed).randbytes(size)
        self.image.write_bytes(content)
        return content

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-W", "error", "-m", "backy2_core.cli.main", "--config", str(self.config), *words]

    def call(self, *words: str) -> int:
        return main(["--config", str(self.config), *words])

    def ok(self, capsys: pytest.CaptureFixture[str], *words: str) -> str:
        capsys.readouterr()
        code = self.call(*words)
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out.strip()

    def backup(self, capsys: pytest.CaptureFixture[str]) -> str:
        """Back the image up; the version's uid."""
        return self.ok(capsys, "-m", "backup", f"file://{self.image}", "vm")

    def restored(self, capsys: pytest.CaptureFixture[str], uid: str) -> bytes:
        """The content of a version."""
        self.ok(capsys, "restore", "--force", uid, f"file://{self.folder}/restored")
        return (self.folder / "restored").read_bytes()

    def uids(self) -> list[str]:
        """Uids of the versions, in order, looked up past the program."""
        with closing(sqlite3.connect(self.folder / "backy2.sqlite")) as connection:
            return [row[0] for row in connection.execute("SELECT uid FROM backy2_versions ORDER BY id")]


@pytest.fixture
def site(tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str]) -> Site:
    made = Site(tmp_path, gateway, gateway.make_bucket(), prefix="host1/")
    made.ok(capsys, "initdb")
    return made


def test_there_and_back_scrubbed_cleaned_up_and_recovered(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    first = site.write(1)
    one = site.backup(capsys)
    second = site.write(2)
    two = site.backup(capsys)
    assert site.restored(capsys, one) == first
    site.ok(capsys, "scrub", two)
    site.ok(capsys, "rm", one)
    cleaned = site.ok(capsys, "cleanup", "--full", "--format", "json")
    assert '"deleted_blobs": 32' in cleaned
    assert '"undeleted_blobs": 0' in cleaned
    (site.folder / "backy2.sqlite").unlink()
    site.ok(capsys, "initdb")
    site.ok(capsys, "recover")
    assert site.uids() == [two]
    assert site.restored(capsys, two) == second
    site.ok(capsys, "check")


def test_a_locked_blob_does_not_keep_a_cleanup_from_its_work(
    tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = gateway.make_bucket(ObjectLockEnabledForBucket=True)
    site = Site(tmp_path, gateway, bucket, delete_versions="yes", upload_checksum="md5")
    site.ok(capsys, "initdb")
    site.write(1)
    uid = site.backup(capsys)
    client = gateway.client()
    blobs = [row["Key"] for row in client.list_objects_v2(Bucket=bucket, Delimiter="/")["Contents"]]
    client.put_object_legal_hold(Bucket=bucket, Key=blobs[3], LegalHold={"Status": "ON"})
    site.ok(capsys, "rm", uid)
    assert site.call("cleanup", "--format", "json") == 0
    captured = capsys.readouterr()
    assert '"deleted_blobs": 31' in captured.out
    assert '"undeleted_blobs": 1' in captured.out
    assert (
        f"each cleanup tries again: 1 blobs in {gateway.endpoint}/{bucket}/ cannot be deleted and stay" in captured.err
    )
    assert blobs[3] in captured.err
    assert [row["Key"] for row in client.list_objects_v2(Bucket=bucket, Delimiter="/")["Contents"]] == [blobs[3]]
    client.put_object_legal_hold(Bucket=bucket, Key=blobs[3], LegalHold={"Status": "OFF"})
    assert '"deleted_blobs": 1' in site.ok(capsys, "cleanup", "--format", "json")


def test_a_missing_bucket_is_one_line_and_exit_code_14(
    tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, gateway, "kit-missing")
    site.ok(capsys, "initdb")
    site.write(1)
    assert site.call("backup", f"file://{site.image}", "vm") == 14
    error = capsys.readouterr().err
    assert "there is no bucket kit-missing; make it, or correct bucket" in error
    assert "Traceback" not in error
    assert len([line for line in error.splitlines() if line.startswith("ERROR")]) == 1


def test_a_file_of_certificates_that_is_none_is_one_line_and_exit_code_10(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trusted"
    file.write_text("no certificate\n")
    site = Site(tmp_path, S3Server("https://127.0.0.1:9"), "any", ca_file=file)
    site.ok(capsys, "initdb")
    site.write(1)
    assert site.call("backup", f"file://{site.image}", "vm") == 10
    error = capsys.readouterr().err
    assert f"key ca_file: {file} holds no certificates in PEM" in error
    assert "trying again" not in error
    assert "Traceback" not in error


def test_the_secret_is_in_no_message_and_no_log(
    tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, gateway, gateway.make_bucket(), secret_access_key="verschlossen")
    site.ok(capsys, "initdb")
    site.write(1)
    assert site.call("-v", "backup", f"file://{site.image}", "vm") == 14
    captured = capsys.readouterr()
    assert "verschlossen" not in captured.err + captured.out + (tmp_path / "log").read_text()


@pytest.mark.parametrize(("simultaneous_writes", "bandwidth"), [(1, 0), (3, 0), (8, 4 * MIB)])
def test_limits_of_writing_hold(
    tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str], simultaneous_writes: int, bandwidth: int
) -> None:
    """As many connections as writes, while they last; and no more bytes a second than was said."""
    with Proxy(("127.0.0.1", int(gateway.endpoint.rpartition(":")[2]))) as proxy:
        server = S3Server(f"http://{proxy.host}:{proxy.port}", gateway.access_key, gateway.secret_key)
        site = Site(
            tmp_path,
            server,
            gateway.make_bucket(),
            simultaneous_writes=simultaneous_writes,
            simultaneous_reads=8,
            bandwidth_write=bandwidth,
        )
        site.ok(capsys, "initdb")
        site.write(1, 12 * MIB)
        began = time.monotonic()
        site.backup(capsys)
        took_s = time.monotonic() - began
        if bandwidth:
            assert 12 * MIB / took_s <= 1.1 * bandwidth
        else:
            assert proxy.connections <= simultaneous_writes + 1


@pytest.mark.parametrize(("simultaneous_reads", "bandwidth"), [(1, 0), (3, 0), (8, 8 * MIB)])
def test_limits_of_reading_hold(
    tmp_path: Path, gateway: S3Server, capsys: pytest.CaptureFixture[str], simultaneous_reads: int, bandwidth: int
) -> None:
    """As many connections as reads, since each request that finds none idle opens one; and no more bytes a second."""
    bucket = gateway.make_bucket()
    site = Site(tmp_path, gateway, bucket)
    site.ok(capsys, "initdb")
    content = site.write(1, 12 * MIB)
    uid = site.backup(capsys)
    with Proxy(("127.0.0.1", int(gateway.endpoint.rpartition(":")[2]))) as proxy:
        server = S3Server(f"http://{proxy.host}:{proxy.port}", gateway.access_key, gateway.secret_key)
        limits = {"simultaneous_reads": simultaneous_reads, "bandwidth_read": bandwidth}
        site = Site(tmp_path, server, bucket, simultaneous_writes=8, **limits)
        if not bandwidth:
            proxy.delay(0.005)  # so that requests meet each other
        began = time.monotonic()
        assert site.restored(capsys, uid) == content
        took_s = time.monotonic() - began
        if bandwidth:
            assert took_s >= 12 * MIB / bandwidth - BURST_S
        else:
            assert proxy.connections == simultaneous_reads


class TestKilledGateway:
    @pytest.fixture
    def cluster(self, own_ceph: Cluster) -> Cluster:
        skip_without_ceph(radosgw=True)
        pytest.importorskip("boto3", reason="boto3 is missing: pip install boto3")
        assert own_ceph.radosgw.endpoint
        return own_ceph

    def test_a_backup_goes_on_when_it_is_back_and_fails_in_order_when_it_is_not(
        self, tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
    ) -> None:
        radosgw = cluster.radosgw
        server = S3Server(radosgw.endpoint, radosgw.access_key, radosgw.secret_key)
        bucket = server.make_bucket()
        site = Site(tmp_path, server, bucket, bandwidth_write=4 * MIB)
        site.ok(capsys, "initdb")
        first = site.write(1, 12 * MIB)
        with started(site, "backup", f"file://{site.image}", "vm") as running:
            wait_for_blobs(server, bucket, 8)
            radosgw.kill()
            radosgw.start()
            out, err = running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 0, err
        assert "trying again in" in err
        [one] = site.uids()
        assert site.restored(capsys, one) == first

        site = Site(tmp_path, server, bucket, retry_limit="1s", bandwidth_write=4 * MIB)
        second = site.write(2, 12 * MIB)
        with started(site, "backup", f"file://{site.image}", "vm") as running:
            wait_for_blobs(server, bucket, 48 + 8)
            radosgw.kill()
            out, err = running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 14, err
        assert "Traceback" not in out + err
        radosgw.start()
        two = site.uids()[1]
        assert site.call("restore", two, f"file://{tmp_path}/not") != 0, "it is no valid version"
        site = Site(tmp_path, server, bucket)
        site.ok(capsys, "backup", "--continue-version", two, f"file://{site.image}", "vm")
        assert site.restored(capsys, two) == second
        site.ok(capsys, "cleanup", "--full")
        assert len(blobs_of(server, bucket)) == 96
        assert site.restored(capsys, one) == first


def started(site: Site, *words: str) -> subprocess.Popen[str]:
    """A command as a process of its own."""
    return subprocess.Popen(
        site.words(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=os.getcwd()
    )


def blobs_of(server: S3Server, bucket: str) -> set[str]:
    """Keys of the blobs in a bucket."""
    return {row["Key"] for row in server.client().list_objects_v2(Bucket=bucket, Delimiter="/").get("Contents", ())}


def wait_for_blobs(server: S3Server, bucket: str, count: int) -> None:
    """Wait until so many are stored."""
    give_up_at = time.monotonic() + PATIENCE_S
    while len(blobs_of(server, bucket)) < count:
        assert time.monotonic() < give_up_at, f"there are {len(blobs_of(server, bucket))} blobs; expected {count}"
        threading.Event().wait(0.02)
