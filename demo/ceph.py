"""``make demo-ceph``: an RBD image is backed up, changed, backed up by what changed, restored, and compared.

It starts a Ceph cluster of its own, in a temporary folder and on free ports of this machine, and removes it at the end. A
file system in the image is made and changed as ``make demo`` does it, in a file that is then imported. The last line is
``identical``, and only then the exit code is 0.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from demo.demo import (
    TOOLS,
    Failed,
    backy2,
    change_files,
    check_file_system,
    compare_files,
    digest,
    make_image,
    program,
    stored,
    tell,
)
from tests.support.ceph_cluster import Cluster, ProgramFailed
from tests.support.ceph_config import what_is_missing

PIECE = 64 * 1024
POOL = "vms"
IMAGE = f"{POOL}/vm1"
COLUMNS = ("date", "name", "snapshot_name", "state", "size_bytes", "uid")
CONFIG = """\
[backy2]
block_size = 1M
logfile = {folder}/backy2.log

[data_backend]
type = file
path = {folder}/store

[meta_backend]
type = sql
engine = sqlite:///{folder}/backy2.sqlite

[source:rbd]
ceph_conffile = {conf}
"""


def main() -> int:
    """Run the demonstration on a cluster and in a folder that are gone at the end."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin:/sbin"
    missing = what_is_missing()
    if missing is None and any(shutil.which(tool) is None for tool in TOOLS):
        missing = f"one of {', '.join(TOOLS)} is missing; they come with: apt-get install e2fsprogs"
    if missing is not None:
        print(missing, file=sys.stderr)
        return 1
    tell("A Ceph cluster of our own")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="backy2-demo-") as folder, Cluster() as cluster:
        print(f"A monitor and an OSD run in {cluster.folder} after {time.monotonic() - begin:.1f} seconds.")
        try:
            demonstrate(Path(folder), cluster)
        except (Failed, ProgramFailed) as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print("identical")
    return 0


def demonstrate(folder: Path, cluster: Cluster) -> None:
    """The whole story, command by command."""
    write_config(folder, cluster)

    tell("An RBD image with an ext4 file system that holds this project and Python's standard library")
    disk, monday, tuesday = folder / "disk.img", folder / "monday.img", folder / "tuesday.img"
    files = make_image(folder, disk)
    cluster.make_pool(POOL)
    rbd(cluster, "import", disk, IMAGE)

    tell("The first backup makes a snapshot, and reads what is allocated in it")
    backy2("initdb")
    backy2("backup", f"rbd://{IMAGE}", "vm1")
    rbd(cluster, "snap", "ls", IMAGE)
    first = export(cluster, IMAGE, monday)

    tell("Files in it are changed, removed and added")
    change_files(folder, disk, files)
    rbd(cluster, "import-diff", write_diff(monday, disk, folder / "changes"), IMAGE)

    tell("The same command again reads only what changed, and keeps only the newer snapshot")
    backy2("backup", f"rbd://{IMAGE}", "vm1")
    rbd(cluster, "snap", "ls", IMAGE)
    second = export(cluster, IMAGE, tuesday)
    backy2("ls", *(word for column in COLUMNS for word in ("-c", column)))
    print(f"The store holds {stored(folder / 'store') >> 20} MiB.")

    tell("The newer version is restored into a new RBD image, and into a file")
    backy2("restore", "latest:vm1", f"rbd://{POOL}/restored")
    compare(f"{POOL}/restored", export(cluster, f"{POOL}/restored", folder / "restored.img"), second)
    compare_files(folder / "restored.img", files)
    backy2("restore", "-s", "latest:vm1", f"file://{folder}/file.img")
    compare("file.img", digest(folder / "file.img"), second)

    tell("The image is lost, and restored as it was at the first backup")
    rbd(cluster, "snap", "purge", IMAGE)
    rbd(cluster, "rm", IMAGE)
    backy2("restore", oldest(), f"rbd://{IMAGE}")
    compare(IMAGE, export(cluster, IMAGE, folder / "again.img"), first)


def write_config(folder: Path, cluster: Cluster) -> None:
    """A configuration of our own, which every command below uses; ``rbd`` finds the cluster by its own variable."""
    config = folder / "plugins.cfg"
    config.write_text(CONFIG.format(folder=folder, conf=cluster.conf).replace("%", "%%"), encoding="utf-8")
    os.environ["BACKY2_CONFIG"] = str(config)
    os.environ["CEPH_CONF"] = str(cluster.conf)


def write_diff(before: Path, after: Path, target: Path) -> Path:
    """What changed from one file to the other, as ``rbd import-diff`` takes it: it stands for a virtual machine's writes."""
    with target.open("wb") as diff:
        diff.write(b"rbd diff v1\n")
        for offset, content in changed_pieces(before, after):
            diff.write(struct.pack("<cQQ", b"w", offset, len(content)) + content)
        diff.write(b"e")
    print(f"{target.stat().st_size // 1024} KiB of {after.stat().st_size >> 20} MiB are written anew.")
    return target


def changed_pieces(before: Path, after: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, new content) of each piece that differs between two files of one size."""
    with before.open("rb") as old, after.open("rb") as new:
        offset = 0
        while content := new.read(PIECE):
            if content != old.read(PIECE):
                yield offset, content
            offset += len(content)


def export(cluster: Cluster, image: str, target: Path) -> str:
    """SHA-256 of what ``rbd export`` says that an image holds, which must be a sound file system."""
    rbd(cluster, "export", image, target)
    check_file_system(target)
    return digest(target)


def compare(name: str, found: str, expected: str) -> None:
    """What was restored must be what was backed up."""
    if found != expected:
        raise Failed(f"{name} differs from what was backed up")
    print(f"SHA-256 of {name} is that of the image that was backed up.")


def oldest() -> str:
    """The uid of the first version."""
    done = subprocess.run([program(), "-q", "ls", "--format", "json"], stdout=subprocess.PIPE, check=True)
    return str(min(json.loads(done.stdout), key=lambda row: row["date"])["uid"])


def rbd(cluster: Cluster, *arguments: str | Path) -> None:
    """Show and run one command of Ceph."""
    print(f"$ rbd {' '.join(map(str, arguments))}", flush=True)
    print(cluster.run("rbd", *arguments), end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
