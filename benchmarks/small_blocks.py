"""The 100 MiB image in 25,600 blocks of 4 KiB, all different, with durable writes, beside the bare loop.

The manual of the original backy2 tells of 60 s for it. All blocks are random: each becomes a blob of its own.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, possible, report
from benchmarks.image import Images, images_below
from benchmarks.measure import Measured
from benchmarks.modes import FIRST, RESTORE, SCRUB, UNCHANGED, Mode
from benchmarks.sizes import KIB, MIB
from benchmarks.subjects import Bare, Ours, Subject

BLOCK_BYTES = 4 * KIB
IMAGE_BYTES = 100 * MIB
STEPS = (FIRST, UNCHANGED, RESTORE, SCRUB)

Rounds = dict[str, dict[str, list[Measured]]]


def make_random_image(folder: Path, size_bytes: int) -> Images:
    """An image of random bytes, the same each time."""
    images = images_below(folder)
    images.first.parent.mkdir(parents=True)
    dice = random.Random(size_bytes)
    with images.first.open("wb") as file:
        for at in range(0, size_bytes, MIB):
            file.write(dice.randbytes(min(MIB, size_bytes - at)))
    return images


def run(folder: Path, runs: int, modes: Sequence[Mode], size_bytes: int = IMAGE_BYTES) -> str:
    """Measure all steps and return a table for each mode."""
    images = make_random_image(folder / "image", size_bytes)
    rounds: Rounds = {step: {} for step in STEPS}
    for number in range(runs):
        _round(folder / f"round{number}", images, number, rounds, modes)
    shutil.rmtree(folder / "image")
    blocks = size_bytes // BLOCK_BYTES
    return "\n".join(_table(rounds, mode, blocks) for mode in modes)


def _table(rounds: Rounds, mode: Mode, blocks: int) -> str:
    columns = ["step", "wall", "CPU", "peak MiB", "db MiB", "bare wall", "bare/ours", "ours blocks/s", "bare blocks/s"]
    rows = [
        _row(step, measure.median(row[mode.subject("ours")]), measure.median(row[mode.subject("bare")]), blocks)
        for step, row in rounds.items()
    ]
    low, high = possible.SMALL_FILES
    title = f"{blocks:,} blocks of 4 KiB, {mode.title}"
    return report.table(
        f"{title} (the reference machine makes {low:,} to {high:,} such files a second, unsynced)", columns, rows
    )


def _round(folder: Path, images: Images, number: int, rounds: Rounds, modes: Sequence[Mode]) -> None:
    subjects: dict[str, Subject] = {}
    for mode in modes:
        for name, kind in (("ours", Ours), ("bare", Bare)):
            called = mode.subject(name)
            subjects[called] = kind(folder / called, images, block_bytes=BLOCK_BYTES, sealed=mode.sealed)
    for subject in subjects.values():
        subject.prepare()
    for step in STEPS:
        for name, subject in sorted(subjects.items(), reverse=number % 2 == 0):
            measured = subject.measure(step)
            if measured is not None:
                rounds[step].setdefault(name, []).append(measured)
            if step == RESTORE:
                subject.take_restored(compare=number == 0)
    shutil.rmtree(folder)


def _row(step: str, ours: Measured, bare: Measured, blocks: int) -> list[str]:
    return [
        step,
        report.seconds(ours.wall_s),
        report.seconds(ours.cpu_s),
        report.mib(ours.peak_bytes),
        report.mib(ours.database_bytes),
        report.seconds(bare.wall_s),
        f"{bare.wall_s / ours.wall_s:.2f}",
        f"{blocks / ours.wall_s:,.0f}",
        f"{blocks / float(json.loads(bare.output)['seconds']):,.0f}",
    ]
