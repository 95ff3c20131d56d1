"""The bare loop beside which the data backend ``rados`` is measured: librados by its Python module, threads, BLAKE3.

``python -m benchmarks.ceph_bare put|get|check CONF POOL NAMESPACE IMAGE BLOCKS THREADS``. BLOCKS is a file with a JSON list:
of each block its offset, and that of the first block with the same content, under which its object is stored. Putting reads
each block of IMAGE, hashes it and stores those that are first; getting reads and hashes each block's object and writes it to
IMAGE, durable at the end; checking only reads and hashes.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rados
from blake3 import blake3

from benchmarks.image import BLOCK_BYTES


def main(words: list[str]) -> None:
    """Move every block."""
    loop, conf, pool, namespace, image, blocks, threads = words
    cluster = rados.Rados(conffile=conf)
    cluster.connect()
    objects = cluster.open_ioctx(pool)
    objects.set_namespace(namespace)
    fd = os.open(image, os.O_RDWR | os.O_CREAT)

    def put(block: tuple[int, int]) -> None:
        data = os.pread(fd, BLOCK_BYTES, block[0])
        blake3(data).digest()
        if block[0] == block[1]:
            objects.write_full(f"{block[1]:032x}", data)

    def check(block: tuple[int, int]) -> bytes:
        data = objects.read(f"{block[1]:032x}", BLOCK_BYTES)
        blake3(data).digest()
        return data

    def get(block: tuple[int, int]) -> None:
        os.pwrite(fd, check(block), block[0])

    def run(block: tuple[int, int]) -> None:
        {"put": put, "get": get, "check": check}[loop](block)

    with ThreadPoolExecutor(int(threads)) as workers:
        list(workers.map(run, json.loads(Path(blocks).read_text())))
    if loop == "get":
        os.fsync(fd)
    objects.close()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1:])
