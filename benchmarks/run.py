"""``make bench``: runs the benchmarks and prints their tables.

Everything is made below one folder and removed at the end. Nothing is dropped from the page cache; before each command
its input is read once and what is dirty is written out. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import metadata, small_blocks, startup, steps
from benchmarks.modes import MODES, STEPS, Mode
from benchmarks.sizes import GIB, parse_size

OTHER_PARTS: dict[str, Callable[[Path, int, Sequence[Mode]], str]] = {
    "metadata": lambda folder, runs, modes: metadata.run(folder, runs),
    "small": small_blocks.run,
    "startup": lambda folder, runs, modes: startup.run(folder),
}
STEP_WORDS = dict(zip(("first", "unchanged", "hints", "full", "restore", "scrub"), STEPS, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    wanted = options.only or [*STEP_WORDS, *OTHER_PARTS]
    modes = [MODES[name] for name in options.mode or MODES]
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, medians of {options.runs}"
    )
    print("Before each command its input was read once (page cache) and all dirty data were written out.")
    with scratch(options.dir) as folder:
        chosen = [STEP_WORDS[word] for word in wanted if word in STEP_WORDS]
        if chosen:
            _run_steps(folder, options, chosen, modes)
        for word in wanted:
            if word in OTHER_PARTS:
                part = folder / word
                part.mkdir()
                print(OTHER_PARTS[word](part, options.runs, modes), flush=True)


def _run_steps(folder: Path, options: argparse.Namespace, chosen: list[str], modes: Sequence[Mode]) -> None:
    images = steps.make_images(folder / "images", options.size)
    results = steps.measure_steps(folder, images, options.runs, chosen, modes, with_others=not options.no_others)
    shutil.rmtree(folder / "images")
    for mode in modes:
        print(steps.tables(results, options.size, mode), flush=True)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder below ``parent`` that is gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="backy2-bench-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure backy2 beside bare loops.")
    parser.add_argument("--size", type=parse_size, default=4 * GIB, help="size of the image (default 4G)")
    parser.add_argument("--runs", type=int, default=3, help="medians of so many runs (default 3)")
    parser.add_argument(
        "--only", action="append", choices=[*STEP_WORDS, *OTHER_PARTS], help="just this; may be repeated"
    )
    parser.add_argument(
        "--mode", action="append", choices=[*MODES], help="just this way to store blocks; may be repeated"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("/var/tmp"), help="folder for images and stores, on a real disk"
    )
    parser.add_argument("--no-others", action="store_true", help="leave out restic and borg")
    return parser


if __name__ == "__main__":
    main()
