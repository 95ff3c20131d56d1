"""Every benchmark runs at a small scale, prints its table, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import huge, metadata, others, report, run, small_blocks, startup, steps
from benchmarks.measure import Measured
from benchmarks.modes import FIRST, FULL, HINTS, MODES, PLAIN, RESTORE, SCRUB, SEALED, UNCHANGED
from benchmarks.sizes import KIB, MIB, parse_size, show_bytes
from benchmarks.steps import make_images

SMALL = ["--size", "16M", "--runs", "1", "--no-others"]


def rows_of(text: str) -> dict[str, list[str]]:
    """The rows of all tables in a text by their first cell."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows}


def test_bench_prints_every_step_and_cleans_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for step in run.STEP_WORDS for word in ("--only", step)]
    run.main([*SMALL, "--dir", str(tmp_path), "--mode", "plain", *words])
    text = capsys.readouterr().out
    assert set(run.STEP_WORDS.values()) <= set(rows_of(text))
    assert "Largest peak memory" in text
    assert list(tmp_path.iterdir()) == []


def test_few_steps_bring_what_they_need_and_each_mode_has_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run.main([*SMALL, "--dir", str(tmp_path), "--only", "hints", "--only", "restore"])
    for mode, part in zip(MODES.values(), capsys.readouterr().out.split("Image of ")[1:], strict=True):
        assert mode.title in part.splitlines()[0]
        assert "Largest peak memory" in part
        rows = rows_of(part)
        assert {HINTS, RESTORE} <= set(rows)
        assert FIRST not in rows


@pytest.mark.parametrize("name", ["restic", "borg"])
def test_other_programs_restore_what_they_backed_up(tmp_path: Path, name: str) -> None:
    if name not in others.installed():
        pytest.skip(f"{name} is not installed")
    images = make_images(tmp_path / "images", 16 * MIB)
    subject = others.installed()[name](tmp_path / name, images)
    subject.prepare()
    for step in (FIRST, UNCHANGED, FULL, RESTORE, SCRUB):
        measured = subject.measure(step)
        assert measured is not None
        assert measured.wall_s > 0
    subject.take_restored(compare=True)


def walls(**seconds: float) -> dict[str, Measured]:
    return {name.replace("_", ", "): Measured(wall_s, 0.0, 0) for name, wall_s in seconds.items()}


def test_other_programs_are_compared_with_as_each_mode_asks() -> None:
    row = walls(ours_plain=1.0, ours_sealed=2.0, restic=9.0, borg=7.0)
    results = dict.fromkeys((FIRST, UNCHANGED, FULL), row)
    found = {
        mode.name: {name: cells[-3:] for name, cells in rows_of(steps.others_table(results, 4 << 30, mode)).items()}
        for mode in (PLAIN, SEALED)
    }
    assert found["plain"][FIRST] == ["backy2 2.9 (noted)", "6.60", ">= 2 met"]
    assert found["sealed"][FIRST] == ["borg", "3.50", ">= 3 met"]
    assert found["sealed"][UNCHANGED] == ["restic", "4.50", ">= 5 MISSED"]
    assert found["sealed"][FULL] == ["borg", "3.50", "-"]


def test_metadata_tables(tmp_path: Path) -> None:
    rows = rows_of(metadata.run(tmp_path, 1, blocks=4096, few_blocks=256))
    assert {"first version", *metadata.PATTERNS.values(), "rm", "cleanup after rm", "incremental random"} <= set(rows)
    assert list(tmp_path.rglob("*.sqlite")) == []


def test_huge_table(tmp_path: Path) -> None:
    rows = rows_of(huge.run(tmp_path, 5000))
    assert set(huge.JOBS) <= set(rows)


def test_small_blocks_table(tmp_path: Path) -> None:
    text = small_blocks.run(tmp_path, 1, list(MODES.values()), size_bytes=256 * KIB)
    for mode, part in zip(MODES.values(), text.split("4 KiB, ")[1:], strict=True):
        assert mode.title in part.splitlines()[0]
        assert set(small_blocks.STEPS) <= set(rows_of(part))
    assert list(tmp_path.iterdir()) == []


def test_startup_table(tmp_path: Path) -> None:
    rows = rows_of(startup.run(tmp_path, 1))
    assert {"--help", "ls, empty database"} <= set(rows)


def test_trivial_application_lists_nothing_by_its_entry_point(tmp_path: Path) -> None:
    from benchmarks import measure

    words = startup.make_trivial(tmp_path, "tiny", "")
    assert "Ls" not in measure.run([*words, "ls"], env={"PYTHONPATH": str(tmp_path)}).output


def test_verdicts_say_whether_a_target_is_met() -> None:
    assert report.at_least(0.75, 0.7) == ("0.75", ">= 0.7 met")
    assert report.at_least(0.65, 0.7) == ("0.65", ">= 0.7 MISSED")
    assert report.at_most(1.2, 1.3) == ("1.20", "<= 1.3 met")
    assert report.at_most(1.4, 1.3) == ("1.40", "<= 1.3 MISSED")


@pytest.mark.parametrize(("text", "size"), [("4G", 4 << 30), ("256MiB", 256 << 20), ("4k", 4096), ("512", 512)])
def test_sizes_are_understood(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_sizes_are_shown() -> None:
    assert [show_bytes(n) for n in (5, 2048, 20 * MIB)] == ["5 B", "2.0 KiB", "20.0 MiB"]
