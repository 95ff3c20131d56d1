"""``make bench-ceph``: measures backy2 with a real Ceph cluster, which it starts by itself and removes again.

Each part is a module with a function ``run(cluster, folder, options)`` that returns its tables: ``rados`` the data backend
beside a bare loop on librados, ``rbd`` backups of RBD images beside the command rbd.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import ceph_rbd, ceph_store
from benchmarks.run import scratch
from benchmarks.sizes import GIB, parse_size
from tests.support.ceph_cluster import Cluster
from tests.support.ceph_config import what_is_missing

PARTS: dict[str, Callable[[Cluster, Path, argparse.Namespace], str]] = {"rados": ceph_store.run, "rbd": ceph_rbd.run}
"""By the word for ``--only``."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _parser().parse_args(arguments)
    missing = what_is_missing()
    if missing is not None:
        raise SystemExit(missing)
    with scratch(options.dir) as folder, Cluster() as cluster:
        for word in options.only or PARTS:
            part = folder / word
            part.mkdir()
            print(PARTS[word](cluster, part, options), flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ceph_run", description="Measure backy2 with Ceph.")
    parser.add_argument(
        "--size", type=parse_size, default=GIB, help="size of the image, or of the data in it (default 1G)"
    )
    parser.add_argument("--image-size", type=parse_size, default=64 * GIB, help="size of the RBD image (default 64G)")
    parser.add_argument("--runs", type=int, default=3, help="medians of so many runs (default 3)")
    parser.add_argument("--threads", type=int, default=8, help="blobs at once, for both (default 8)")
    parser.add_argument("--only", action="append", choices=[*PARTS], help="just this; may be repeated")
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="folder for images, on a real disk")
    return parser


if __name__ == "__main__":
    main()
