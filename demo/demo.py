"""``make demo``: a real file system is backed up, changed, backed up again, checked, restored and compared.

Needs no root: mkfs.ext4 fills the image by itself, debugfs changes files inside it, e2fsck judges it. Everything happens
in a temporary folder, with a configuration of its own. The last line is ``identical``, and only then the exit code is 0.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

IMAGE_BYTES = 512 * 1024 * 1024
CHUNK = 1024 * 1024
TOOLS = ("mkfs.ext4", "debugfs", "e2fsck")
PROJECT = Path(__file__).resolve().parent.parent
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
"""


class Failed(Exception):
    """The demonstration did not show what it promises."""


def main() -> int:
    """Run the demonstration in a temporary folder, which is removed at the end."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"missing: {', '.join(missing)}; on Debian: apt-get install e2fsprogs", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="backy2-demo-") as folder:
        try:
            demonstrate(Path(folder))
        except Failed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    print("identical")
    return 0


def demonstrate(folder: Path) -> None:
    """The whole story, command by command."""
    image, before = folder / "disk.img", folder / "before.img"
    write_config(folder)
    tell("An ext4 file system that holds this project and Python's standard library")
    files = make_image(folder, image)
    first = digest(image)

    tell("The first backup reads what is allocated and stores what is not zero")
    backy2("initdb")
    backy2("backup", f"file://{image}", "disk", "-s", "monday")

    tell("Files in it are changed, removed and added")
    shutil.copyfile(image, before)
    change_files(folder, image, files)
    second = digest(image)
    hints = write_hints(folder, before, image)

    tell("The next backup reads only what changed, as a list of changed ranges says")
    backy2("backup", f"file://{image}", "disk", "-s", "tuesday", "-r", str(hints), "-f", "latest:disk")
    tell("A backup without such a list reads all, and stores nothing twice")
    backy2("backup", f"file://{image}", "disk", "-s", "wednesday")
    backy2("ls", "-c", "name", "-c", "snapshot_name", "-c", "date", "-c", "size_bytes", "-c", "state", "-c", "uid")
    print(f"The store holds {stored(folder / 'store') >> 20} MiB for three images of {IMAGE_BYTES >> 20} MiB.")

    tell("Every stored block is read and checked, the second time against the disk as well")
    backy2("scrub", "latest:disk")
    backy2("scrub", "-s", f"file://{image}", "latest:disk")

    tell("The versions are restored, checked as file systems, and compared")
    restore_and_compare(uid_of("monday"), folder / "monday.img", first)
    restore_and_compare(uid_of("tuesday"), folder / "tuesday.img", second)
    restore_and_compare("latest:disk", folder / "wednesday.img", second)
    compare_files(folder / "tuesday.img", files)


def write_config(folder: Path) -> None:
    """A configuration of our own, which every command below uses."""
    config = folder / "plugins.cfg"
    config.write_text(CONFIG.format(folder=str(folder).replace("%", "%%")), encoding="utf-8")
    os.environ["BACKY2_CONFIG"] = str(config)


def make_image(folder: Path, image: Path) -> dict[str, Path]:
    """Make the image; return what the files in it are to be after the change, by their paths inside."""
    tree = folder / "files"
    skip = shutil.ignore_patterns(
        "__pycache__", "*.pyc", "site-packages", "dist-packages", "test", "tests", "*.so", ".*"
    )
    shutil.copytree(PROJECT / "backy2_core", tree / "project" / "backy2_core", ignore=skip)
    shutil.copytree(PROJECT / "backy2_plugins", tree / "project" / "backy2_plugins", ignore=skip)
    shutil.copytree(sysconfig.get_path("stdlib"), tree / "python", ignore=skip)
    image.touch()
    os.truncate(image, IMAGE_BYTES)
    tool("mkfs.ext4", "-q", "-F", "-L", "demo", "-d", str(tree), str(image))
    check_file_system(image)
    changed = folder / "changed"
    changed.mkdir()
    return {"/project/notes": changed / "notes", "/python/ast.py": changed / "ast.py", "/big": changed / "big"}


def change_files(folder: Path, image: Path, files: dict[str, Path]) -> None:
    """Write, replace and remove files inside the image."""
    files["/project/notes"].write_text("added after the first backup\n", encoding="utf-8")
    files["/python/ast.py"].write_bytes((folder / "files/python/ast.py").read_bytes().upper())
    files["/big"].write_bytes(os.urandom(8 * CHUNK))
    orders = ["rm /python/ast.py", "rm /python/this.py", *(f"write {path} {inside}" for inside, path in files.items())]
    script = folder / "orders"
    script.write_text("\n".join(orders) + "\n", encoding="utf-8")
    tool("debugfs", "-w", "-f", str(script), str(image))
    check_file_system(image)


def write_hints(folder: Path, before: Path, after: Path) -> Path:
    """The ranges that changed, in the notation of ``rbd diff --format json``; a real storage tells them by itself."""
    ranges = [
        {"offset": number * CHUNK, "length": len(new), "exists": "true" if any(new) else "false"}
        for number, (old, new) in enumerate(zip(chunks(before), chunks(after), strict=True))
        if old != new
    ]
    hints = folder / "changed.json"
    hints.write_text(json.dumps(ranges), encoding="utf-8")
    print(f"{len(ranges)} MiB of {IMAGE_BYTES // CHUNK} hold a change.")
    return hints


def restore_and_compare(version: str, target: Path, expected: str) -> None:
    """Restore a version into a new sparse file, which must be the image that was backed up, and a sound file system."""
    backy2("restore", "-s", version, f"file://{target}")
    check_file_system(target)
    if digest(target) != expected:
        raise Failed(f"{target.name} differs from what was backed up")
    print(f"SHA-256 of {target.name} is that of the image that was backed up.")


def compare_files(image: Path, files: dict[str, Path]) -> None:
    """The changed files, read out of the restored file system, must be what was written."""
    for inside, path in files.items():
        done = tool("debugfs", "-R", f"cat {inside}", str(image))
        if done != path.read_bytes():
            raise Failed(f"{inside} in {image.name} is not what was written")
    if b"File not found" not in tool("debugfs", "-R", "stat /python/this.py", str(image), with_complaints=True):
        raise Failed(f"/python/this.py was removed, and is in {image.name} all the same")
    print(f"{len(files)} changed files in it are as they were written, and the removed one is not there.")


def check_file_system(image: Path) -> None:
    """e2fsck finds nothing wrong."""
    tool("e2fsck", "-fn", str(image))
    print(f"e2fsck finds nothing wrong with {image.name}.")


def uid_of(snapshot_name: str) -> str:
    """The uid of the version of that snapshot name."""
    done = subprocess.run([program(), "-q", "ls", "--format", "json"], stdout=subprocess.PIPE, check=True)
    return next(row["uid"] for row in json.loads(done.stdout) if row["snapshot_name"] == snapshot_name)


def backy2(*arguments: str) -> None:
    """Show and run one command."""
    print(f"$ backy2 {' '.join(arguments)}", flush=True)
    code = subprocess.run([program(), *arguments], check=False).returncode
    if code:
        raise Failed(f"backy2 {arguments[0]} ended with exit code {code}")


def program() -> str:
    """The ``backy2`` beside the running Python."""
    return str(Path(sys.executable).parent / "backy2")


def tool(*command: str, with_complaints: bool = False) -> bytes:
    """Run a tool of the file system and return what it printed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)} ended with exit code {done.returncode}: {_text(done.stdout, done.stderr)}")
    return done.stdout + (done.stderr if with_complaints else b"")


def _text(*outputs: bytes) -> str:
    return " ".join(b" ".join(outputs).decode(errors="replace").split())


def tell(text: str) -> None:
    """A headline."""
    print(f"\n== {text}", flush=True)


def chunks(path: Path) -> Iterator[bytes]:
    """The file in pieces of one MiB."""
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            yield piece


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored(folder: Path) -> int:
    """Bytes that the files below ``folder`` take."""
    sizes: Sequence[int] = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return sum(sizes)


if __name__ == "__main__":
    sys.exit(main())
