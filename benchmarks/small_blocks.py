"""The 100 MiB image in 25,600 blocks of 4 KiB, all different, with durable writes, beside the bare loop.

The manual of the original backy2 tells of 60 s for it. All blocks are random: each becomes a blob of its own.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from benchmarks import measure, possible, report
from benchmarks.image import Images, images_below
from benchmarks.measure import Measured
from benchmarks.sizes import KIB, MIB
from benchmarks.subjects import FIRST, RESTORE, SCRUB, UNCHANGED, Bare, Ours, Subject

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


def run(folder: Path, runs: int, size_bytes: int = IMAGE_BYTES) -> str:
    """Measure all steps and return the table."""
    images = make_random_image(folder / "image", size_bytes)
    rounds: Rounds = {step: {"ours": [], "bare": []} for step in STEPS}
    for number in range(runs):
        _round(folder / f"round{number}", images, number, rounds)
    shutil.rmtree(folder / "image")
    blocks = size_bytes // BLOCK_BYTES
    columns = ["step", "wall", "CPU", "peak MiB", "db MiB", "bare wall", "bare/ours", "ours blocks/s", "bare blocks/s"]
    rows = [
        _row(step, measure.median(row["ours"]), measure.median(row["bare"]), blocks) for step, row in rounds.items()
    ]
    low, high = possible.SMALL_FILES
    return report.table(
        f"{blocks:,} blocks of 4 KiB (the reference machine makes {low:,} to {high:,} such files a second, unsynced)",
        columns,
        rows,
    )


def _round(folder: Path, images: Images, number: int, rounds: Rounds) -> None:
    subjects: dict[str, Subject] = {
        "ours": Ours(folder / "ours", images, block_bytes=BLOCK_BYTES),
        "bare": Bare(folder / "bare", images, block_bytes=BLOCK_BYTES),
    }
    for subject in subjects.values():
        subject.prepare()
    for step in STEPS:
        for name, subject in sorted(subjects.items(), reverse=number % 2 == 0):
            measured = subject.measure(step)
            if measured is not None:
                rounds[step][name].append(measured)
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
