"""The bare loop beside which the data backend ``s3`` is measured: boto3 as it comes, threads, and nothing else.

``python -m benchmarks.bare_s3 put|get ENDPOINT BUCKET IMAGE BLOCKS THREADS``: BLOCKS is a file with the offsets of the blocks
that are moved, as a JSON list. Putting reads them from IMAGE; getting writes them into it.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

from benchmarks.image import BLOCK_BYTES


def main(words: list[str]) -> None:
    """Move every block once."""
    how, endpoint, bucket, image, blocks, threads = words
    offsets = json.loads(Path(blocks).read_text())
    client = boto3.client("s3", endpoint_url=endpoint, config=Config(max_pool_connections=int(threads)))
    fd = os.open(image, os.O_RDWR | os.O_CREAT)

    def put(offset: int) -> None:
        client.put_object(Bucket=bucket, Key=f"{offset:032x}", Body=os.pread(fd, BLOCK_BYTES, offset))

    def get(offset: int) -> None:
        os.pwrite(fd, client.get_object(Bucket=bucket, Key=f"{offset:032x}")["Body"].read(), offset)

    with ThreadPoolExecutor(int(threads)) as pool:
        list(pool.map(put if how == "put" else get, offsets))
    if how == "get":
        os.fsync(fd)
    os.close(fd)


if __name__ == "__main__":
    main(sys.argv[1:])
