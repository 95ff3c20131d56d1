"""What images of QEMU can be, each made by QEMU's own programs, and what is said of those that cannot be read."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backy2_qcow2 import Qcow2Source, Qcow2Target, backy2_open_source, backy2_open_target, backy2_settings
from backy2_qcow2.server import NbdServer

from backy2_core.api import PluginError, SourceError, TargetError, TargetRequest

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-nbd") is None, reason="qemu-nbd is missing; install it with: apt-get install qemu-utils"
)
MIB = 1024 * 1024


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def make(path: Path, size: str, *commands: str, options: str = "") -> Path:
    """An image, with what these commands of qemu-io wrote to it."""
    run("qemu-img", "create", "-q", "-f", "qcow2", *(["-o", options] if options else []), path, size)
    io(path, *commands)
    return path


def io(path: Path, *commands: str) -> None:
    for command in commands:
        run("qemu-io", "-f", "qcow2", "-c", command, path)


def read(url: object) -> bytes:
    """All of a source: what it says is allocated as it is read, and zeros between that."""
    with Qcow2Source(f"qcow2://{url}") as source:
        content = bytearray(source.size_bytes)
        for extent in source.allocated():
            source.read_into(extent.offset, memoryview(content)[extent.offset : extent.end])
        return bytes(content)


def allocated(url: object) -> int:
    with Qcow2Source(f"qcow2://{url}") as source:
        return sum(extent.length for extent in source.allocated())


def kib(pattern: int, count: int) -> bytes:
    return bytes([pattern]) * 1024 * count


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves a socket, a folder for one, or a process behind."""
    folder = tmp_path / "temporary" / ("long" * 30)  # no socket can have so long a name
    folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert os.listdir(folder) == []
    assert servers_of(tmp_path) == []


def servers_of(folder: Path) -> list[bytes]:
    """Command lines of the processes that serve an image in this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes()
            if line.startswith(b"qemu-nbd\0") and os.fsencode(folder) in line:
                found.append(line)
    return found


@pytest.mark.parametrize("cluster", ["512", "4k", "64k", "2M"])
def test_clusters_of_every_size_are_read(tmp_path: Path, cluster: str) -> None:
    path = make(tmp_path / "a", "4M", "write -P 1 1M 64k", "write -P 2 3M 512", options=f"cluster_size={cluster}")
    expected = kib(0, 1024) + kib(1, 64) + kib(0, 1984) + b"\2" * 512 + bytes(MIB - 512)
    assert read(path) == expected
    assert allocated(path) <= 4 * MIB


def test_only_what_is_allocated_is_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1T", "write -P 1 0 64k", "write -P 1 512G 128k")
    assert allocated(path) == 192 * 1024


def test_clusters_of_zeros_are_not_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "4M", "write -P 1 0 4M", "write -z 1M 2M", "write -z -u 3M 64k")
    assert read(path) == kib(1, 1024) + kib(0, 2048 + 64) + kib(1, 1024 - 64)
    assert allocated(path) == 2 * MIB - 64 * 1024


def test_compressed_clusters_are_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -c -P 5 0 64k", "write -c -P 6 64k 64k")
    assert read(path)[: 128 * 1024] == kib(5, 64) + kib(6, 64)


def test_an_image_is_read_with_what_it_stands_on(tmp_path: Path) -> None:
    run("qemu-img", "create", "-q", "-f", "raw", tmp_path / "raw", "1M")
    run("qemu-io", "-f", "raw", "-c", "write -P 1 0 192k", tmp_path / "raw")
    middle, top = tmp_path / "middle", tmp_path / "top"
    make(middle, "1M", "write -P 2 64k 64k", options=f"backing_file={tmp_path}/raw,backing_fmt=raw")
    make(top, "2M", "write -z 0 64k", "write -P 3 1M 64k", options="backing_file=middle,backing_fmt=qcow2")
    assert read(top) == kib(0, 64) + kib(2, 64) + kib(1, 64) + kib(0, 1024 - 192) + kib(3, 64) + kib(0, 1024 - 64)


def test_the_identity_changes_with_what_the_image_stands_on(tmp_path: Path) -> None:
    below = make(tmp_path / "below", "1M", "write -P 1 0 64k")
    top = make(tmp_path / "top", "1M", options=f"backing_file={below},backing_fmt=qcow2")
    with Qcow2Source(f"qcow2://{top}") as source:
        before = source.identity
    io(below, "write -P 2 0 64k")
    with Qcow2Source(f"qcow2://{top}") as source:
        assert source.identity != before


def test_a_grown_image_has_zeros_behind_its_old_end(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 1M")
    run("qemu-img", "resize", "-q", path, "3M")
    assert read(path) == kib(1, 1024) + kib(0, 2048)


def test_a_snapshot_is_read_as_it_was_by_name_and_by_number(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 64k")
    for name, pattern in (("first, of all", 2), ("second@noon", 3)):
        run("qemu-img", "snapshot", "-c", name, path)
        io(path, f"write -P {pattern} 0 64k")
    run("qemu-img", "resize", "-q", path, "2M")
    assert read(f"{path}@first, of all")[: 64 * 1024] == kib(1, 64)
    assert read(f"{path}@2")[: 64 * 1024] == kib(2, 64)
    assert read(path)[: 64 * 1024] == kib(3, 64)


def test_the_identity_of_a_snapshot_stays_when_the_image_is_written_to(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 64k")
    run("qemu-img", "snapshot", "-c", "s", path)
    with Qcow2Source(f"qcow2://{path}@s") as source:
        before = source.identity
    io(path, "write -P 2 0 64k")
    with Qcow2Source(f"qcow2://{path}@s") as source:
        assert source.identity == before
    run("qemu-img", "snapshot", "-d", "s", path)
    run("qemu-img", "snapshot", "-c", "s", path)
    with Qcow2Source(f"qcow2://{path}@s") as source:
        assert source.identity != before


def test_a_snapshot_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    run("qemu-img", "snapshot", "-c", "monday", path)
    with pytest.raises(SourceError, match="no snapshot tuesday; there are: monday"):
        Qcow2Source(f"qcow2://{path}@tuesday")


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"no image at all" * 1000)
    with pytest.raises(SourceError, match="not in qcow2 format; give the path"):
        Qcow2Source(f"qcow2://{tmp_path}/a")


def test_an_image_that_was_cut_before_is_refused_and_not_read_as_zeros(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "4M", "write -P 1 0 4M")
    os.truncate(path, 2 * MIB)
    with pytest.raises(SourceError, match=r"is corrupt .*qemu-img check"):
        Qcow2Source(f"qcow2://{path}")


def test_an_image_whose_base_was_cut_is_refused(tmp_path: Path) -> None:
    below = make(tmp_path / "below", "4M", "write -P 1 0 4M")
    top = make(tmp_path / "top", "4M", options=f"backing_file={below},backing_fmt=qcow2")
    os.truncate(below, 2 * MIB)
    with pytest.raises(SourceError, match="below is corrupt"):
        Qcow2Source(f"qcow2://{top}")


def test_damage_that_is_met_when_reading_is_an_error_and_no_zeros(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 1M")
    with path.open("r+b") as file:
        file.seek(40)
        table = int.from_bytes(file.read(8), "big")
        file.seek(table)
        file.write((1 << 63 | 0x10200).to_bytes(8, "big"))  # an address that is no multiple of a cluster
    with Qcow2Source(f"qcow2://{path}", thorough=False) as source:
        with pytest.raises(SourceError, match=r"read 4096 bytes at 0 of .*qemu-img check"):
            source.read_into(0, memoryview(bytearray(4096)))
        with pytest.raises(SourceError, match="look for data"):
            list(source.allocated())
    with pytest.raises(SourceError, match="corrupt"):
        Qcow2Source(f"qcow2://{path}")


def test_the_advice_is_for_what_was_said_and_not_for_how_the_file_is_called(tmp_path: Path) -> None:
    (tmp_path / "block-lock").write_bytes(b"no image")
    with pytest.raises(SourceError) as raised:
        Qcow2Source(f"qcow2://{tmp_path}/block-lock")
    assert "virtual machine" not in str(raised.value)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    below = make(tmp_path / "below", "1M")
    top = make(tmp_path / "top", "1M", options=f"backing_file={below},backing_fmt=qcow2")
    below.unlink()
    with pytest.raises(SourceError, match=r"below.*No such file.*check the path"):
        Qcow2Source(f"qcow2://{top}")


def test_an_image_that_a_machine_has_open_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    machine = subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert machine.stdin is not None
    assert machine.stdout is not None
    with machine:
        machine.stdin.write(b"length\n")
        said = b""
        while b"MiB" not in said:  # then it has the image open
            said += machine.stdout.read(100)
        with pytest.raises(SourceError, match="a virtual machine has the image open"):
            Qcow2Source(f"qcow2://{path}")
        with pytest.raises(TargetError, match="a virtual machine has the image open"):
            Qcow2Target(f"qcow2://{path}", TargetRequest(1024, force=True, sparse=True))


def test_a_machine_cannot_write_while_the_source_is_open(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    with Qcow2Source(f"qcow2://{path}"):
        done = subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write 0 64k", path], check=False, capture_output=True)
        assert b"lock" in done.stderr


@pytest.mark.parametrize(("program", "package"), [("qemu-img", "qemu-utils"), ("qemu-nbd", "qemu-utils")])
def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, package: str
) -> None:
    path = make(tmp_path / "a", "1M")
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in {"qemu-img", "qemu-nbd", "setpriv", "sh"} - {program}:
        (folder / name).symlink_to(str(shutil.which(name)))
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(folder))
        with pytest.raises(PluginError, match=f"{program} is missing.*{package}"):
            Qcow2Source(f"qcow2://{path}")


def test_the_server_ends_when_its_user_is_killed(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    program = (
        "import sys, time; from backy2_qcow2 import Qcow2Source; source = Qcow2Source(sys.argv[1]);"
        "print(source._server._process.pid, flush=True); time.sleep(60)"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", program, f"qcow2://{path}"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        server = int(user.stdout.readline())
        os.kill(server, 0)
        user.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while os.path.exists(f"/proc/{server}") and b"qemu-nbd" in Path(f"/proc/{server}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "qemu-nbd outlived its user"
        time.sleep(0.01)


def test_the_server_ends_when_its_clients_are_gone_though_nobody_ends_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    server = NbdServer(["--read-only", "--format=qcow2", str(path)], connections=3, status=True, timeout_s=10)
    for connection in server.connections:
        connection._socket.close()
    assert server._process is not None
    assert server._process.wait(10) == 0
    server.close()


def test_a_server_that_died_is_an_error_for_every_read(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 1M")
    with Qcow2Source(f"qcow2://{path}", threads=2) as source:
        source._server._process.kill()
        for _ in range(3):
            with pytest.raises(SourceError, match="qcow2://"):
                source.read_into(0, memoryview(bytearray(512)))


def test_a_restore_makes_an_image_for_its_owner_only_with_the_options_that_are_set(tmp_path: Path) -> None:
    settings = {setting.name: setting.default for setting in backy2_settings()} | {
        "create_options": ("cluster_size=4k",)
    }
    url = f"qcow2://{tmp_path}/new"
    with backy2_open_target(url, settings, TargetRequest(MIB, force=False, sparse=True)) as target:
        target.write(4096, memoryview(kib(9, 4)))
        target.zero(8192, MIB - 8192)
        target.flush()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    with backy2_open_source(url, settings) as source:
        assert [(extent.offset, extent.length) for extent in source.allocated()] == [(4096, 4096)]
    info = subprocess.run(["qemu-img", "info", tmp_path / "new"], capture_output=True, text=True, check=True).stdout
    assert "cluster_size: 4096" in info


def test_a_restore_over_an_image_keeps_its_snapshots(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M", "write -P 1 0 1M")
    run("qemu-img", "snapshot", "-c", "kept", path)
    with Qcow2Target(f"qcow2://{path}", TargetRequest(MIB, force=True, sparse=True)) as target:
        target.zero(0, MIB)
        target.flush()
    assert read(path) == bytes(MIB)
    assert read(f"{path}@kept") == kib(1, 1024)


def test_nothing_is_restored_into_a_snapshot(tmp_path: Path) -> None:
    path = make(tmp_path / "a", "1M")
    with pytest.raises(TargetError, match="names a snapshot"):
        Qcow2Target(f"qcow2://{path}@s", TargetRequest(MIB, force=True, sparse=True))


def test_wrong_options_of_a_new_image_leave_no_file(tmp_path: Path) -> None:
    request = TargetRequest(MIB, force=False, sparse=True)
    with pytest.raises(TargetError, match="nonsense"):
        Qcow2Target(f"qcow2://{tmp_path}/new", request, create_options=("nonsense=1",))
    assert not (tmp_path / "new").exists()


def test_an_empty_image_is_an_empty_device(tmp_path: Path) -> None:
    assert read(make(tmp_path / "a", "0")) == b""
