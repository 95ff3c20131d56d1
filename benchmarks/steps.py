"""The main tables: each step of backy2 beside the bare loop, in each mode, and restic and borg beside both."""

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
from benchmarks.modes import FIRST, FULL, HINTS, PLAIN, RESTORE, SCRUB, STEPS, UNCHANGED, Mode
from benchmarks.sizes import GIB, MIB
from benchmarks.subjects import PROJECT, Bare, Ours, Subject

Results = dict[str, dict[str, Measured]]
"""By step, then by the name of the subject: medians."""

ORIGINAL = "backy2 2.9 (noted)"
ORIGINAL_S = {FIRST: 6.6, UNCHANGED: 4.5, RESTORE: 8.1, SCRUB: 3.9}
"""Seconds that the original backy2 2.9 took for the 4 GiB image on the reference machine, neither packed nor encrypted."""
OURS, BARE, FIXED = "ours", "bare", " fixed"


def make_images(folder: Path, size_bytes: int, block_bytes: int = 4 * MIB) -> Images:
    """Make the images in a process of its own: the peak of a child is never below that of its parent."""
    words = [sys.executable, "-m", "benchmarks.image", str(folder), str(size_bytes), "--block-size", str(block_bytes)]
    measure.run(words, cwd=PROJECT)
    return images_below(folder)


def measure_steps(
    folder: Path, images: Images, runs: int, steps: Sequence[str], modes: Sequence[Mode], *, with_others: bool = True
) -> Results:
    """Run ``steps`` (and what they need) ``runs`` times, the subjects of all modes interleaved; medians.

    Beside the images, an image of one block goes through the same steps: the fixed cost of a job of each program.
    """
    one_block = make_images(folder / "one-block", 4 * MIB)
    rounds = []
    for number in range(runs):
        subjects = _subjects(folder / f"round{number}", images, one_block, modes)
        if with_others:
            place = folder / f"round{number}"
            subjects |= {name: kind(place / name, images) for name, kind in others.installed().items()}
        rounds.append(_round(subjects, number, steps))
    shutil.rmtree(folder / "one-block")
    return {step: {name: measure.median([r[step][name] for r in rounds]) for name in rounds[0][step]} for step in steps}


def _subjects(folder: Path, images: Images, one_block: Images, modes: Sequence[Mode]) -> dict[str, Subject]:
    subjects: dict[str, Subject] = {}
    for mode in modes:
        for kind, name in ((Ours, mode.subject(OURS)), (Bare, mode.subject(BARE))):
            subjects[name] = kind(folder / name, images, sealed=mode.sealed)
            subjects[name + FIXED] = kind(folder / f"{name}-fixed", one_block, sealed=mode.sealed)
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


def tables(results: Results, size_bytes: int, mode: Mode) -> str:
    """All that is shown of one mode."""
    parts = [main_table(results, size_bytes, mode), peak_line(results, mode)]
    if not mode.sealed:
        parts.append(possible_table(results))
    return "\n".join([*parts, others_table(results, size_bytes, mode)])


def main_table(results: Results, size_bytes: int, mode: Mode) -> str:
    """Step by step: our figures, and the throughput of the bare loop that we reach."""
    columns = ["step", "wall", "fixed", "CPU", "peak MiB", "store MiB", "db KiB", "bare wall", "bare fixed", "bare CPU"]
    return report.table(
        f"Image of {size_bytes / GIB:g} GiB, {mode.title}: backy2 beside the bare loop",
        [*columns, "walls", "throughput", "target"],
        [_main_row(step, row, mode) for step, row in results.items()],
    )


def _main_row(step: str, row: dict[str, Measured], mode: Mode) -> list[str]:
    ours, bare = mode.subject(OURS), mode.subject(BARE)
    return [
        step,
        report.seconds(row[ours].wall_s),
        report.seconds(row[ours + FIXED].wall_s),
        report.seconds(row[ours].cpu_s),
        report.mib(row[ours].peak_bytes),
        report.mib(row[ours].store_bytes),
        f"{row[ours].database_bytes / 1024:.0f}",
        report.seconds(row[bare].wall_s),
        report.seconds(row[bare + FIXED].wall_s),
        report.seconds(row[bare].cpu_s),
        f"{row[bare].wall_s / row[ours].wall_s:.2f}",
        *report.at_least(_throughput(row, ours, bare), mode.of_bare.get(step)),
    ]


def _throughput(row: dict[str, Measured], ours: str, bare: str) -> float:
    """Our share of the bare loop's throughput: both without the fixed cost of starting and of a job of one block."""
    our_s, bare_s = (max(row[name].wall_s - row[name + FIXED].wall_s, 1e-6) for name in (ours, bare))
    return bare_s / our_s


def others_table(results: Results, size_bytes: int, mode: Mode) -> str:
    """Wall times of the other programs, and how many times as fast ours is as the fastest of those that count."""
    names = [name for name in others.installed() if any(name in row for row in results.values())]
    original = size_bytes == 4 * GIB and not mode.sealed
    columns = ["step", "ours", *names, *([ORIGINAL] if original else []), "compared with", "times as fast", "target"]
    rows = [
        _others_row(step, row, columns[2:-3], mode)
        for step, row in results.items()
        if step != HINTS and any(name in row for name in names)
    ]
    return report.table(f"Other programs beside {mode.title} (restic and borg compress and encrypt)", columns, rows)


def _others_row(step: str, row: dict[str, Measured], names: Sequence[str], mode: Mode) -> list[str]:
    walls = {name: row[name].wall_s if name in row else ORIGINAL_S.get(step) for name in names}
    asked, ours_s = mode.of_others.get(step), row[mode.subject(OURS)].wall_s
    counting = {name: wall for name, wall in walls.items() if wall and (asked is None or name in asked.programs)}
    shown = [step, report.seconds(ours_s), *map(report.seconds, walls.values())]
    if not counting:
        return [*shown, "-", "-", "-"]
    fastest = min(counting, key=lambda name: counting[name])
    return [*shown, fastest, *report.at_least(counting[fastest] / ours_s, asked.times if asked else None)]


def possible_table(results: Results) -> str:
    """The bare loops beside what the reference machine can do."""
    columns = ["loop", "seconds", "read MiB", "written MiB", "possible", "reached", "target"]
    bare = PLAIN.subject(BARE)
    rows = [_possible_row(step, row[bare]) for step, row in results.items() if step not in (HINTS, FULL)]
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


def peak_line(results: Results, mode: Mode) -> str:
    """The largest peak of all steps against its target."""
    peak = max(row[mode.subject(OURS)].peak_bytes for row in results.values())
    return f"Largest peak memory of backy2: {report.mib(peak)} MiB, target under {mode.peak_bytes // MIB} MiB"
