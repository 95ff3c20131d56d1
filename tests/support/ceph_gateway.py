"""The S3 interface of the throwaway Ceph cluster."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.ceph_daemon import HOST, Daemon, free_port, wait_for_port

_ACCESS_KEY = "keeper"
_SECRET_KEY = "geheimes-wort"


class Gateway:
    """A radosgw with one user, who may do anything with buckets of his own."""

    access_key = _ACCESS_KEY
    secret_key = _SECRET_KEY

    def __init__(self, starter: ThreadPoolExecutor, folder: Path, conf: Path, run: Callable[..., str]) -> None:
        self._port = free_port()
        self._names = itertools.count(1)
        self.endpoint = f"http://{HOST}:{self._port}"
        options: Sequence[str | Path] = ("--conf", conf, "--name", "client.admin", "--log-file", folder / "radosgw.log")
        # Else the end of each small answer waits 40 ms for the client to acknowledge its beginning.
        frontend = f"beast endpoint={HOST}:{self._port} tcp_nodelay=1"
        command = ["radosgw", "-f", *options, "--rgw-frontends", frontend, "--rgw-data", folder]
        self._daemon = Daemon(starter, command, folder / "radosgw.out")
        names = ["--uid", "keeper", "--display-name", "keeper"]
        run("radosgw-admin", "user", "create", *names, "--access-key", _ACCESS_KEY, "--secret-key", _SECRET_KEY)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._daemon.start()
        wait_for_port(self._port, self._daemon)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._daemon.kill()

    def make_bucket(self) -> str:
        """Make a bucket, return its name. Needs boto3."""
        import boto3

        name = f"bucket-{next(self._names)}"
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        client = boto3.client("s3", endpoint_url=self.endpoint, region_name="default", **keys)
        client.create_bucket(Bucket=name)
        client.close()
        return name
