"""docs/ceph.md is followed in an empty home, on a real cluster where all have to prove who they are."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.ceph.caps import NIGHTLY, NIGHTLY_STRICT, READING, STORE
from tests.docs import pages, places
from tests.support.ceph import Cluster, skip_without_ceph

PAGE = "docs/ceph.md"
SYSTEM_PYTHON = "/usr/bin/python3"
PLUGINS = ("backy2_plugins", "backy2_plugins/sources/rbd", "backy2_plugins/data_backends/rados")
PROGRAM = Path(sys.executable).parent / "backy2"
CONFIG = """\
[backy2]
logfile = {folder}/log
retry_limit = 1s

[data_backend]
type = rados
pool = backups
ceph_conffile = {conf}
rados_name = {users[1]}

[meta_backend]
engine = sqlite:///{folder}/backy2.sqlite

[source:rbd]
ceph_conffile = {conf}
rados_name = {users[0]}
"""


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    skip_without_ceph()
    if shutil.which("ceph") is None:
        pytest.skip("the program ceph is missing; it comes with: apt-get install ceph-common")
    with Cluster(cephx=True) as made:
        yield made


def test_the_page_works_as_it_stands(tmp_path: Path, cluster: Cluster) -> None:
    (tmp_path / "usr/local/sbin").mkdir(parents=True)
    # Without pip: the page's own line, less what it would fetch.
    subprocess.run([SYSTEM_PYTHON, "-m", "venv", "--without-pip", tmp_path / "opt/backy2"], check=True)
    conf = with_keyrings_beside(tmp_path / "etc/ceph", cluster)
    environment = {"BACKY2_CONFIG": str(tmp_path / "etc/backy2/plugins.cfg"), "CEPH_CONF": str(conf)}
    assert places.walk(PAGE, tmp_path, environment) == 14
    assert len(places.not_run(PAGE)) == 3, "installing, freezing, and systemd"


def with_keyrings_beside(folder: Path, cluster: Cluster) -> Path:
    """The cluster's configuration in ``folder``, with keys there as in ``/etc/ceph``; that of the administrator is."""
    folder.mkdir(parents=True)
    as_it_was = f"keyring = {cluster.keyring}\nlog_file ="
    text = cluster.conf.read_text()
    assert as_it_was in text
    conf = folder / "ceph.conf"
    conf.write_text(text.replace(as_it_was, f"keyring = {folder}/$cluster.$name.keyring\nlog_file ="))
    shutil.copy(cluster.keyring, folder / "ceph.client.admin.keyring")
    return conf


def test_the_caps_of_the_table_suffice_each_for_its_job(tmp_path: Path, cluster: Cluster) -> None:
    for pool in ("vms", "backups"):
        cluster.make_pool(pool)
    cluster.run("rbd", "create", "--size", "8M", "vms/vm1")
    cluster.run("rbd", "bench", "--io-type", "write", "--io-size", "4M", "--io-total", "4M", "vms/vm1")
    cluster.run("rbd", "snap", "create", "vms/vm1@monday")
    reads, snapshots, strict, stores, restores = rights()

    def call(source: Mapping[str, str], store: Mapping[str, str], *words: str) -> int:
        users = [cluster.make_user(f"client.u{next(numbers)}", caps) for caps in (source, store)]
        config.write_text(CONFIG.format(folder=tmp_path, conf=conf, users=[keyring.stem for keyring in users]))
        return subprocess.run([PROGRAM, "-c", config, "-q", *words], capture_output=True, check=False).returncode

    numbers = itertools.count()
    config, conf = tmp_path / "plugins.cfg", tmp_path / "ceph.conf"
    conf.write_text(cluster.conf.read_text().replace(str(cluster.keyring), f"{cluster.folder}/$name.keyring"))
    assert call(reads, stores, "initdb") == 0
    assert call(reads, stores, "backup", "rbd://vms/vm1@monday", "vm1") == 0
    assert call(reads, stores, "backup", "rbd://vms/vm1", "vm1") == 12
    assert call(snapshots, stores, "backup", "rbd://vms/vm1", "vm1") == 0
    assert call(strict, stores, "backup", "rbd://vms/vm1", "vm1") == 0
    assert call(snapshots, restores, "backup", "rbd://vms/vm1", "vm1") == 14
    for user in (reads, strict):
        assert call(user, restores, "restore", "latest:vm1", "rbd://vms/vm2") == 13
    assert call(snapshots, restores, "restore", "latest:vm1", "rbd://vms/vm2") == 0
    assert call(reads, stores, "scrub", "latest:vm1") == 0
    assert call(reads, stores, "cleanup", "--full") == 0


def test_the_caps_are_those_of_which_none_may_be_missing() -> None:
    told = [row["osd"] for row in rights()[:4]]
    tried = [", ".join(need.osd) for need in (READING, NIGHTLY, NIGHTLY_STRICT, STORE)]
    assert told == [caps.replace("POOL", "vms").replace("STORE", "backups") for caps in tried]


def rights() -> list[dict[str, str]]:
    """The caps of each row of the table, by daemon."""
    rows = next(pages.tables(pages.sections(PAGE, 2)["A user with the rights that it needs"]))[1:]
    return [{"mon": pages.named(row[1])[0], "osd": pages.named(row[2])[0]} for row in rows]


def units() -> dict[str, str]:
    """The units of systemd on the page, by their names."""
    found = [block.text for block in pages.blocks(PAGE) if block.info == "ini"]
    return {Path(text.partition("\n")[0]).name: text for text in found}


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    assert set(units()) == {"backup-ceph.service", "backup-ceph.timer"}
    script = tmp_path / "backup-ceph"
    script.touch(mode=0o755)
    for name, text in units().items():
        (tmp_path / name).write_text(text.replace("/usr/local/sbin/backup-ceph", str(script)))
        parser = ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        assert parser["Unit"]["Description"]
    if shutil.which("systemd-analyze") is None:
        pytest.skip("the program systemd-analyze is missing; it comes with: apt-get install systemd")
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in units())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "backup-ceph" in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


def test_the_service_runs_the_script_that_the_page_writes() -> None:
    written = re.findall(r"cat > (\S+/backup-ceph) ", pages.text_of(PAGE))
    assert [f"ExecStart={path}" for path in written] == re.findall(
        r"^ExecStart=.*$", units()["backup-ceph.service"], re.M
    )


def test_the_messages_are_real() -> None:
    rows = next(pages.tables(pages.sections(PAGE, 2)["Failures, and what they mean"]))[1:]
    known = " ".join(
        re.sub(r'"\s+f?"', "", path.read_text()) for folder in PLUGINS for path in (pages.ROOT / folder).glob("*.py")
    )
    for row in rows:
        for said in pages.named(row[0]):
            assert said in known, said


def test_the_time_outs_are_those_of_the_configuration() -> None:
    section = pages.sections("docs/configuration.md", 3)["[source:rbd]"]
    settings = {pages.named(row[0])[0]: row[2] for row in next(pages.tables(section))[1:]}
    told = next(pages.tables(pages.sections(PAGE, 2)["Time-outs"]))[1:]
    for row in told[:3]:
        assert settings[pages.named(row[1])[0]].strip("`")[:1] == row[2].replace(" ", "")[:1]
