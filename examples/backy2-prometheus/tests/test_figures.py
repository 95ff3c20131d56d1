"""The figures are right, survive between commands and beside each other, and are read by Prometheus' own parser."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from backy2_prometheus import backy2_make_listener, backy2_settings
from backy2_prometheus.figures import FIGURES
from backy2_prometheus.listener import PrometheusListener
from prometheus_client.parser import text_string_to_metric_families

from backy2_core.api import (
    BackupFinished,
    CleanupFinished,
    ConfigError,
    Counts,
    DamageFound,
    Event,
    JobBegan,
    JobFailed,
    JobKind,
    RestoreFinished,
    ScrubFinished,
    Secret,
    Version,
    VersionRemoved,
    VersionState,
)
from backy2_core.testing.samples import STATISTICS, VERSION

NOW = 1_800_000_000.0
DATE = datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC)
HERE = Path(__file__).parent.parent


def version(name: str = "vm", date: datetime = DATE, state: VersionState = VersionState.VALID) -> Version:
    return dataclasses.replace(VERSION, name=name, date=date, state=state)


def backup(of: Version) -> BackupFinished:
    counts = Counts(bytes_read=30, bytes_written=10, bytes_dedup=20, bytes_sparse=5, bytes_kept=65)
    return BackupFinished(
        of, dataclasses.replace(STATISTICS, name=of.name, counts=counts, size_bytes=100, duration_s=2.5)
    )


def parsed(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and label values (in the order of the labels' names), as Prometheus reads them."""
    return {
        (sample.name.removeprefix("backy2_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collector" / "backy2.prom"


def told(path: Path, *events: Event, now: float = NOW, **options: float) -> dict[tuple[str, ...], float]:
    """What the file holds after a command that told of these events."""
    listener = PrometheusListener(str(path), None, clock=lambda: now, **options)
    for event in events:
        listener.notify(event)
    listener.close()
    return parsed(path.read_text())


def test_a_backup_tells_of_its_date_its_duration_and_its_bytes(path: Path) -> None:
    kinds = {"read": 30, "written": 10, "dedup": 20, "sparse": 5, "kept": 65}
    assert told(path, backup(version())) == {
        ("backup_last_success_timestamp_seconds", "vm"): DATE.timestamp(),
        ("backup_last_valid", "vm"): 1,
        ("backup_last_duration_seconds", "vm"): 2.5,
        ("backup_last_size_bytes", "vm"): 100,
        ("backups_total", "vm"): 1,
        **{("backup_last_bytes", kind, "vm"): count for kind, count in kinds.items()},
        **{("backup_bytes_total", kind, "vm"): count for kind, count in kinds.items()},
    }


def test_figures_of_several_commands_and_names_stand_side_by_side(path: Path) -> None:
    told(path, backup(version("one")))
    told(path, backup(version("two")))
    found = told(path, backup(version("one")))
    assert (found["backups_total", "one"], found["backups_total", "two"]) == (2, 1)


def test_a_damaged_version_is_no_success(path: Path) -> None:
    told(path, backup(version()))
    later = datetime(2026, 11, 25, tzinfo=UTC)
    found = told(path, backup(version(date=later, state=VersionState.DAMAGED)))
    assert found["backup_last_success_timestamp_seconds", "vm"] == DATE.timestamp()
    assert found["backup_last_valid", "vm"] == 0


def test_damage_in_the_last_version_makes_it_invalid_and_that_in_an_older_one_does_not(path: Path) -> None:
    told(path, backup(version()))
    older = version(date=datetime(2026, 1, 1, tzinfo=UTC))
    found = told(path, ScrubFinished(older, 9, 2, 1, 4.0))
    assert found["backup_last_valid", "vm"] == 1
    assert {
        figure: found[f"scrub_last_{figure}", "vm"]
        for figure in ("timestamp_seconds", "duration_seconds", "checked_blocks", "damaged_blocks", "different_blocks")
    } == {
        "timestamp_seconds": NOW,
        "duration_seconds": 4.0,
        "checked_blocks": 9,
        "damaged_blocks": 2,
        "different_blocks": 1,
    }
    assert told(path, ScrubFinished(version(), 9, 1, 0, 4.0))["backup_last_valid", "vm"] == 0


def test_a_failure_is_told_by_kind_and_name(path: Path) -> None:
    failed = JobFailed(JobKind.BACKUP, "file:///x as vm", "no space", name="vm")
    found = told(path, failed, failed, JobFailed(JobKind.CLEANUP, "full", "no space"))
    assert found["job_failures_total", "backup", "vm"] == 2
    assert found["job_last_failure_timestamp_seconds", "backup", "vm"] == NOW
    assert found["job_failures_total", "cleanup", ""] == 1
    assert "no space" not in path.read_text()


def test_restores_removals_and_cleanups_are_told(path: Path) -> None:
    found = told(
        path,
        RestoreFinished(version(), "file:///new", 3, 1.5),
        VersionRemoved(version()),
        VersionRemoved(version()),
        CleanupFinished(1, 2, 3, 4000, full=True),
        CleanupFinished(0, 0, 1, 10, full=False),
    )
    assert found["restore_last_damaged_blocks", "vm"] == 3
    assert found["restore_last_timestamp_seconds", "vm"] == NOW
    assert found["restore_last_duration_seconds", "vm"] == 1.5
    assert found[("versions_removed_total",)] == 2
    assert found[("cleanup_freed_bytes_total",)] == 4010
    assert found[("cleanup_last_freed_bytes",)] == 10
    assert found[("cleanup_deleted_blobs_total",)] == 4
    assert found[("cleanup_last_timestamp_seconds",)] == NOW


def test_much_damage_is_counted_and_written_once(path: Path) -> None:
    listener = PrometheusListener(str(path), None)
    for block in range(1000):
        listener.notify(DamageFound(version(), block, "uid", "missing"))
    assert not path.exists()
    listener.close()
    assert parsed(path.read_text())["damaged_blocks_found_total", "vm"] == 1000


def test_a_finished_backup_is_in_the_file_before_the_command_ends(path: Path) -> None:
    PrometheusListener(str(path), None).notify(backup(version()))
    assert ("backups_total", "vm") in parsed(path.read_text())


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "new\nline", "Würfel 日本", "{a=1} 7", ""])
def test_odd_names_come_back_as_they_were(path: Path, name: str) -> None:
    told(path, backup(version(name)))
    assert told(path, backup(version(name)))["backups_total", name] == 2


def test_names_of_which_nothing_is_heard_are_forgotten(path: Path) -> None:
    told(path, backup(version("old", datetime(2020, 1, 1, tzinfo=UTC))), CleanupFinished(1, 2, 3, 4, full=True))
    young = datetime.fromtimestamp(NOW - 1000, UTC)
    found = told(path, backup(version("young", young)), forget_after_s=86400.0)
    assert ("cleanup_last_freed_bytes",) in found
    assert {key[1] for key in found if key[0].startswith("backup_last_valid")} == {"young"}
    assert not any("old" in key for key in found)


def test_the_file_is_for_everybody_and_nothing_else_that_a_collector_reads_is_there(path: Path) -> None:
    mask = os.umask(0o077)
    try:
        told(path, backup(version()))
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in path.parent.iterdir() if file.suffix == ".prom"] == ["backy2.prom"]
    assert sorted(file.name for file in path.parent.iterdir()) == [".backy2.prom.lock", "backy2.prom"]


def test_a_file_that_cannot_be_understood_is_begun_anew(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_text("backy2_backups_total{name= 7\n")
    assert told(path, backup(version()))["backups_total", "vm"] == 1
    assert "begun anew" in caplog.text


def test_figures_of_others_in_the_file_are_not_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('backy2_backups_total{host="x"} 7\nothers 3\n')
    assert not any(key[0] == "others" for key in told(path, backup(version())))


def test_what_could_not_be_written_is_written_later(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.write_bytes(b"a file in the folder's place")
    listener = PrometheusListener(str(path), None)
    listener.notify(backup(version()))
    assert "could not be written" in caplog.text
    path.parent.unlink()
    listener.close()
    assert parsed(path.read_text())["backups_total", "vm"] == 1


def test_many_processes_count_together(path: Path) -> None:
    program = (
        "import sys; from backy2_prometheus.listener import PrometheusListener\n"
        "from backy2_core.testing.samples import EVENTS\n"
        "for _ in range(5):\n"
        "    listener = PrometheusListener(sys.argv[1], None)\n"
        "    [listener.notify(event) for event in EVENTS]\n"
        "    listener.close()\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path)], env=environ) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert parsed(path.read_text())["backups_total", VERSION.name] == 20


@dataclasses.dataclass
class Asked:
    """What a gateway was asked."""

    method: str
    path: str
    authorisation: str | None
    body: str


class GatewayServer:
    """A real HTTP server that answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.status = 200
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                gateway.asked.append(Asked(self.command, self.path, self.headers["Authorization"], body))
                self.send_response(gateway.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Be silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def gateway() -> Iterator[GatewayServer]:
    server = GatewayServer()
    yield server
    server.close()


def push(gateway: GatewayServer, tmp_path: Path, *events: Event, **given: object) -> None:
    settings = {setting.name: setting.default for setting in backy2_settings()}
    settings |= {"push_url": gateway.url, "state": str(tmp_path / "state" / "figures.prom"), **given}
    listener = backy2_make_listener(settings)
    for event in events:
        listener.notify(event)
    listener.close()


def test_all_figures_are_pushed_once_when_the_command_ends(gateway: GatewayServer, tmp_path: Path) -> None:
    push(gateway, tmp_path, backup(version("one")), push_instance="host/1")
    push(gateway, tmp_path, backup(version("two")), backup(version("one")), push_instance="host/1", push_job="nightly")
    first, second = gateway.asked
    assert (first.method, first.path) == ("PUT", "/metrics/job/backy2/instance@base64/aG9zdC8x")
    assert second.path.startswith("/metrics/job/nightly/")
    assert parsed(second.body)["backups_total", "one"] == 2
    assert parsed(second.body)["backups_total", "two"] == 1


def test_a_command_that_did_nothing_pushes_nothing(gateway: GatewayServer, tmp_path: Path) -> None:
    push(gateway, tmp_path, JobBegan(JobKind.BACKUP, "x"))
    assert gateway.asked == []


def test_the_gateway_is_told_user_and_password(gateway: GatewayServer, tmp_path: Path) -> None:
    push(gateway, tmp_path, backup(version()), push_user="backy2", push_password=Secret("letmein-please"))
    assert gateway.asked[0].authorisation == "Basic YmFja3kyOmxldG1laW4tcGxlYXNl"


def test_a_gateway_that_refuses_is_a_warning_and_the_figures_come_with_the_next(
    gateway: GatewayServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.status = 500
    with caplog.at_level(logging.WARNING):
        push(gateway, tmp_path, backup(version()), push_user="u", push_password=Secret("letmein-please"))
    assert "could not be pushed" in caplog.text
    assert "letmein-please" not in caplog.text
    gateway.status = 200
    push(gateway, tmp_path, backup(version()))
    assert parsed(gateway.asked[-1].body)["backups_total", "vm"] == 2


def test_a_gateway_that_is_not_there_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = GatewayServer()
    server.close()
    push(server, tmp_path, backup(version()))
    assert "could not be pushed" in caplog.text


def test_a_user_in_the_url_is_refused() -> None:
    settings = {setting.name: setting.default for setting in backy2_settings()}
    with pytest.raises(ConfigError, match="push_user"):
        backy2_make_listener(settings | {"push_url": "http://me:letmein-please@gateway:9091"})


def test_the_alerts_speak_of_figures_that_there_are() -> None:
    rules = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        used = re.findall(r"backy2_\w+", rule["expr"])
        assert used, rule["alert"]
        assert set(used) <= FIGURES.keys(), rule["alert"]
        assert rule["annotations"]["summary"]
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            assert all(label in FIGURES[figure].labels for figure in used), (rule["alert"], label)


def test_the_readme_names_every_figure() -> None:
    text = (HERE / "README.md").read_text()
    assert [name for name in FIGURES if f"`{name}`" not in text] == []


def test_the_library_is_not_imported_before_a_listener_is_made() -> None:
    probe = "import sys, backy2_prometheus as p; p.backy2_settings(); print('prometheus_client' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", probe], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
