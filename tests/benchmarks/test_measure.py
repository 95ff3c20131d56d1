"""What is measured of a command: its own memory, its own processor time, and the bytes it added."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.measure import CommandFailed, Measured
from benchmarks.subjects import PROJECT

MIB = 1024 * 1024


def python(code: str) -> Measured:
    return measure.run([sys.executable, "-c", code])


def test_peak_memory_is_that_of_the_command() -> None:
    small, large = python("pass"), python(f"bytearray({200 * MIB}).find(1)")
    assert 200 * MIB < large.peak_bytes < 200 * MIB + small.peak_bytes + 16 * MIB


def test_processor_time_is_that_of_the_command() -> None:
    busy = python("import time\nwhile time.process_time() < 0.3: pass")
    assert busy.cpu_s >= 0.3
    assert busy.wall_s >= 0.3
    assert python("pass").cpu_s < 0.3


def test_output_is_kept() -> None:
    assert python("print('uid')").output == "uid\n"


def test_failed_command_is_an_error_with_its_last_words() -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3: .*the disk is full"):
        python("import sys\nprint('the disk is full', file=sys.stderr)\nsys.exit(3)")


def test_size_counts_every_file_once(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"12345")
    (tmp_path / "a" / "d").write_bytes(b"123")
    (tmp_path / "a" / "link").symlink_to("d")
    assert measure.size_of(tmp_path / "a") == 8
    assert measure.size_of(tmp_path / "a" / "d", tmp_path / "not there") == 3


def test_warming_reads_files_with_holes_to_their_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"x" * MIB)
        file.truncate(8 * MIB)
        file.seek(16 * MIB)
        file.write(b"end")
        file.truncate(64 * MIB)
    measure.warm(tmp_path)
    assert path.stat().st_size == 64 * MIB


def test_median_is_taken_of_each_figure() -> None:
    runs = [Measured(1, 30, 7, "one"), Measured(3, 10, 9, "three"), Measured(2, 20, 8, "two")]
    assert measure.median(runs) == Measured(2, 20, 8, "two")


def test_measuring_process_stays_small_while_it_makes_the_image(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\nfrom benchmarks import run, steps\n"
        "steps.make_images(pathlib.Path(sys.argv[1]) / 'images', 64 << 20)\n"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    peak_kib = int(measure.run([sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT).output)
    assert peak_kib < 40 * 1024, "the peak of each measured command would be at least this"
