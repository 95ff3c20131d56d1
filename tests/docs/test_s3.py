"""docs/s3.md is followed on moto in an empty home; its policy is tried on a real Ceph gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backy2_core.cli.main import main
from tests.docs import pages, places
from tests.support.ceph import Cluster, ceph, ceph_with_radosgw
from tests.support.s3 import S3Server, gateway, moto

__all__ = ["ceph", "ceph_with_radosgw", "gateway", "moto"]

PAGE = "docs/s3.md"
LIMITED = ("limited", "wenig-darf-er")


def test_the_page_works_as_it_stands(tmp_path: Path, moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = moto.make_bucket()
    as_it_stands = places.below

    def with_our_server(script: str, home: Path) -> str:
        script = script.replace("https://s3.example.org", moto.endpoint).replace(
            "bucket = backups", f"bucket = {bucket}"
        )
        return as_it_stands(script, home)

    monkeypatch.setattr(places, "below", with_our_server)
    environment = {"BACKY2_CONFIG": str(tmp_path / "etc/backy2/plugins.cfg"), "SECRET_KEY": moto.secret_key}
    assert places.walk(PAGE, tmp_path, environment) == 3
    listing = moto.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert all(row["Key"].startswith("host1/") for row in listing)
    assert len(places.not_run(PAGE)) == 2, "installing, and making the bucket"


class TestRights:
    @pytest.fixture
    def call(
        self,
        tmp_path: Path,
        ceph_with_radosgw: Cluster,
        gateway: S3Server,
    ) -> Callable[..., int]:
        """Runs a command as a user with the page's rights, less the given ones."""
        limited = S3Server(gateway.endpoint, *LIMITED)
        names = ["--uid", "limited", "--display-name", "limited"]
        keys = ["--access-key", LIMITED[0], "--secret-key", LIMITED[1]]
        ceph_with_radosgw.run("radosgw-admin", "user", "create", *names, *keys)
        bucket = gateway.make_bucket()
        (tmp_path / "image").write_bytes(bytes(range(256)) * 32768)
        config = tmp_path / "plugins.cfg"
        config.write_text(
            f"[backy2]\nlogfile = {tmp_path}/log\n{limited.section(bucket, multi_delete='no')}"
            f"[meta_backend]\nengine = sqlite:///{tmp_path}/backy2.sqlite\n"
        )
        assert main(["--config", str(config), "initdb"]) == 0

        def call(*words: str, without: str = "") -> int:
            gateway.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy_for(bucket, without)))
            return main(["--config", str(config), *(word.replace("HERE", str(tmp_path)) for word in words)])

        return call

    def test_they_are_enough_and_none_is_too_much(
        self, call: Callable[..., int], capsys: pytest.CaptureFixture[str]
    ) -> None:
        backup = ("backup", "file://HERE/image", "vm")
        # Not without s3:GetObject: on Ceph whoever put an object may read it.
        for right in ("s3:ListBucket", "s3:PutObject"):
            assert call(*backup, without=right) == 14
            assert "these keys may not do that; docs/s3.md lists the rights" in capsys.readouterr().err
        assert call(*backup, without="s3:DeleteObject") == 0
        assert call("scrub", "latest:vm", without="s3:PutObject s3:DeleteObject") == 0
        assert call("restore", "latest:vm", "file://HERE/restored", without="s3:PutObject s3:DeleteObject") == 0
        assert call("rm", "latest:vm") == 0
        capsys.readouterr()
        assert call("cleanup", without="s3:DeleteObject") == 14
        assert "these keys may not do that" in capsys.readouterr().err
        assert call("cleanup", "--full") == 0


def policy_for(bucket: str, without: str) -> dict[str, Any]:
    """The page's policy as one of a bucket, for the limited user."""
    [text] = [block.text for block in pages.blocks(PAGE) if '"Statement"' in block.text]
    policy: dict[str, Any] = json.loads(text.replace(":::backups", f":::{bucket}"))
    for statement in policy["Statement"]:
        statement["Principal"] = {"AWS": ["arn:aws:iam:::user/limited"]}
        statement["Action"] = [action for action in statement["Action"] if action not in without.split()]
    policy["Statement"] = [statement for statement in policy["Statement"] if statement["Action"]]
    return policy


def test_the_lifecycle_rule_is_understood(moto: S3Server) -> None:
    [text] = [block.text for block in pages.blocks(PAGE) if "NoncurrentVersionExpiration" in block.text]
    bucket = moto.make_bucket()
    moto.client().put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=json.loads(text))
