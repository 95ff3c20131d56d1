"""The main table: each step of backy2 beside the bare loop, and restic and borg for orientation."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure, others, possible, report
from benchmarks.bare import Done
from benchmarks.image import Images, images_below
from benchmarks.measure import Measured
from benchmarks.sizes import GIB, MIB
from benchmarks.subjects import FIRST, FULL, HINTS, PROJECT, RESTORE, SCRUB, STEPS, UNCHANGED, Bare, Ours, Subject

Results = dict[str, dict[str, Measured]]
"""By step, then by the name of the subject: medians."""

OF_BARE = {FIRST: 0.70, UNCHANGED: 0.80, RESTORE: 0.70, SCRUB: 0.70}
"""Least share of the bare loop's throughput."""
OF_OTHERS = {FIRST: 2.0, UNCHANGED: 3.0, RESTORE: 3.0, SCRUB: 3.0}
"""Least ratio to the fastest of the other programs."""
ORIGINAL_S = {FIRST: 6.6, UNCHANGED: 4.5, RESTORE: 8.1, SCRUB: 3.9}
"""Seconds that the original backy2 2.9 took for the 4 GiB image on the reference machine."""
PEAK_BYTES = 200 * MIB
FIXED = " fixed"


def make_images(folder: Path, size_bytes: int, block_bytes: int = 4 * MIB) -> Images:
    """Make the images in a process of its own: the peak of a child is never below that of its parent."""
    words = [sys.executable, "-m", "benchmarks.image", str(folder), str(size_bytes), "--block-size", str(block_bytes)]
    measure.run(words, cwd=PROJECT)
    return images_below(folder)


def measure_steps(
    folder: Path, images: Images, runs: int, steps: Sequence[str], *, with_others: bool = True
) -> Results:
    """Run ``steps`` (and what they need) ``runs`` times, the subjects interleaved; medians.

    Beside the images, an image of one block goes through the same steps: the fixed cost of a job of each program.
    """
    one_block = make_images(folder / "one-block", 4 * MIB)
    rounds = [_round(_subjects(folder / f"round{n}", images, one_block, with_others), n, steps) for n in range(runs)]
    shutil.rmtree(folder / "one-block")
    return {step: {name: measure.median([r[step][name] for r in rounds]) for name in rounds[0][step]} for step in steps}


def _subjects(folder: Path, images: Images, one_block: Images, with_others: bool) -> dict[str, Subject]:
    subjects: dict[str, Subject] = {}
    for name, kind in (("ours", Ours), ("bare", Bare)):
        subjects[name] = kind(folder / name, images)
        subjects[name + FIXED] = kind(folder / f"{name}-fixed", one_block)
    if with_others:
        subjects |= {name: kind(folder / name, images) for name, kind in others.installed().items()}
    return subjects


def _round(subjects: dict[str, Subject], number: int, steps: Sequence[str]) -> Results:
    for subject in subjects.values():
        subject.prepare()
    results: Results = {}
    for step in [FIRST, *(s for s in STEPS[1:] if s in steps)]:
        results[step] = {}
        for name, subject in sorted(subjects.items(), reverse=number % 2 == 0):
            measured = subject.measure(step)
            if measured is not None:
                results[step][name] = measured
            if step == RESTORE:
                subject.take_restored(compare=number == 0)
    for subject in subjects.values():
        shutil.rmtree(subject.folder)
    return results


def main_table(results: Results, size_bytes: int) -> str:
    """Step by step: our figures, and the throughput of the bare loop that we reach."""
    columns = ["step", "wall", "fixed", "CPU", "peak MiB", "store MiB", "db KiB", "bare wall", "bare fixed", "bare CPU"]
    return report.table(
        f"Image of {size_bytes / GIB:g} GiB: backy2 beside the bare loop",
        [*columns, "walls", "throughput", "target"],
        [_main_row(step, row) for step, row in results.items()],
    )


def _main_row(step: str, row: dict[str, Measured]) -> list[str]:
    ours, bare = row["ours"], row["bare"]
    return [
        step,
        report.seconds(ours.wall_s),
        report.seconds(row["ours" + FIXED].wall_s),
        report.seconds(ours.cpu_s),
        report.mib(ours.peak_bytes),
        report.mib(ours.store_bytes),
        f"{ours.database_bytes / 1024:.0f}",
        report.seconds(bare.wall_s),
        report.seconds(row["bare" + FIXED].wall_s),
        report.seconds(bare.cpu_s),
        f"{bare.wall_s / ours.wall_s:.2f}",
        *report.at_least(_throughput(row), OF_BARE.get(step)),
    ]


def _throughput(row: dict[str, Measured]) -> float:
    """Our share of the bare loop's throughput: both without the fixed cost of starting and of a job of one block."""
    ours, bare = (max(row[name].wall_s - row[name + FIXED].wall_s, 1e-6) for name in ("ours", "bare"))
    return bare / ours


def others_table(results: Results, size_bytes: int) -> str:
    """Wall times of the other programs, and how many times as fast ours is as the fastest of them."""
    names = [name for name in others.installed() if any(name in row for row in results.values())]
    original = size_bytes == 4 * GIB
    columns = ["step", "ours", *names, *(["backy2 2.9 (noted)"] if original else []), "fastest/ours", "target"]
    rows = [_others_row(step, row, names, original) for step, row in results.items() if step != HINTS]
    return report.table("For orientation: other programs (restic and borg compress and encrypt)", columns, rows)


def _others_row(step: str, row: dict[str, Measured], names: list[str], original: bool) -> list[str]:
    walls = [row[name].wall_s if name in row else None for name in names]
    if original:
        walls.append(ORIGINAL_S.get(step))
    known = [wall for wall in walls if wall is not None]
    verdict = report.at_least(min(known) / row["ours"].wall_s, OF_OTHERS.get(step)) if known else ("-", "-")
    return [step, report.seconds(row["ours"].wall_s), *map(report.seconds, walls), *verdict]


def possible_table(results: Results) -> str:
    """The bare loops beside what the reference machine can do."""
    columns = ["loop", "seconds", "read MiB", "written MiB", "possible", "reached", "target"]
    rows = [_possible_row(step, row["bare"]) for step, row in results.items() if step not in (HINTS, FULL)]
    return report.table("The bare loops beside what is possible on the reference machine", columns, rows)


def _possible_row(step: str, bare: Measured) -> list[str]:
    line = json.loads(bare.output)
    done = Done(line["seconds"], line["read"], line["written"])
    return [
        step,
        report.seconds(done.seconds),
        report.mib(done.read_bytes),
        report.mib(done.written_bytes),
        report.seconds(possible.possible_s(done)),
        *report.at_least(possible.share(done), possible.SHARE),
    ]


def peak_line(results: Results) -> str:
    """The largest peak of all steps against its target."""
    peak = max(row["ours"].peak_bytes for row in results.values())
    return f"Largest peak memory of backy2: {report.mib(peak)} MiB, target under {PEAK_BYTES // MIB} MiB"
