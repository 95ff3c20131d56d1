"""Faults 21, 30, 32 and others: what a command says and records, and which files it reads."""

from __future__ import annotations

import sys

import pytest

from backy2_core.errors import DataBackendError
from backy2_core.wrappers.patience import Patience
from backy2_core.wrappers.retrying import RetryingDataBackend
from tests.engine.place import Place, numbered
from tests.faults.site import BLOCK, DAMAGE, Site, blocks
from tests.support.engines import make_engine

SECRET = "open-sesame"


def test_fault_21_a_password_of_the_database_reaches_neither_log_nor_console_nor_process_list(site: Site) -> None:
    """The original wrote the key that it was given into its log and into the list of processes."""
    site.configure()
    for name in ("plugins.cfg", "slow.cfg"):
        path = site.folder / name
        lines = [line for line in path.read_text().splitlines() if not line.startswith("engine = ")]
        lines += [f"engine = postgresql+psycopg://backup:{SECRET}@127.0.0.1:1/backup?connect_timeout=2"]
        path.write_text("\n".join(lines))
    for argv in (("ls",), ("-v", "ls"), ("--debug", "ls"), ("plugins", "list")):
        ended = site.run(*argv)
        assert SECRET not in ended.out + ended.err
    assert site.run("ls").code != 0
    assert SECRET not in site.log.read_text()


def test_fault_21_a_password_among_the_arguments_does_not_reach_the_log_either(site: Site) -> None:
    """What the original was given as an argument stood in its log."""
    for argv in (
        ("adopt", f"postgresql+psycopg://backup:{SECRET}@127.0.0.1:1/backup?connect_timeout=2"),
        ("adopt", f"mysql+pymysql://backup:{SECRET}@127.0.0.1:1/backup"),
        ("backup", f"postgresql://backup:{SECRET}@127.0.0.1:1/backup", "vm"),
        ("rekey", "ab" * 32),
    ):
        ended = site.run(*argv)
        assert ended.code != 0
        assert SECRET not in ended.out + ended.err
    log = site.log.read_text()
    assert "127.0.0.1" in log
    assert SECRET not in log
    assert "ab" * 32 not in log


def test_fault_30_a_put_that_fails_for_a_passing_reason_is_tried_again(place: Place) -> None:
    """The original gave up at the first error of the store."""
    waits: list[float] = []
    for method in ("put", "get"):
        place.data.fail(method, DataBackendError("out of reach", retryable=True), call=3, times=2)
    engine = make_engine(place.meta, RetryingDataBackend(place.data, Patience(sleep=waits.append)))
    content = place.write(numbered(20))
    assert place.restored(place.uid(engine=engine), engine=engine) == content
    assert len(waits) == 4


def test_fault_32_only_the_configuration_that_is_named_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The original read the default places too, whatever ``-c`` said."""
    home = site.folder / "home"
    for path in (home / ".config" / "backy2" / "plugins.cfg", home / "backy.cfg", home / "plugins.cfg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[nonsense]\nkey = value\n")
    monkeypatch.setenv("HOME", str(home))
    site.backup(blocks([1]))
    assert site.run("ls", cwd=home).code == 0


def test_fault_32_a_list_checks_no_migrations(site: Site) -> None:
    """The original loaded alembic for every command."""
    script = (
        "import sys; from backy2_core.cli.main import main; code = main(sys.argv[1:]);"
        " sys.exit(code or 'alembic' in sys.modules)"
    )
    site.command = [sys.executable, "-c", script]
    assert site.run("ls").code == 0


def test_fault_in_section_7_every_block_is_counted_once(site: Site) -> None:
    """The later releases counted zeros and duplicates that were read nowhere, and kept blocks as deduplicated ones."""
    base = site.backup(blocks([1, 2, 0, 2, 3]) + b"tail")
    site.backup(blocks([1, 9, 0, 9, 3]) + b"tail", "-f", base, hints=[_hint(1, 3)])
    (first, second) = _statistics(site)
    kinds = ("read", "written", "dedup", "sparse", "kept")
    assert [first[f"blocks {kind}"] for kind in kinds] == [6, 4, 1, 1, 0]
    assert [second[f"blocks {kind}"] for kind in kinds] == [3, 1, 1, 1, 3]
    for row in (first, second):
        assert sum(row[f"bytes {kind}"] for kind in kinds[1:]) == row["size bytes"] == 5 * BLOCK + 4


def test_fault_in_section_7_a_difference_to_the_source_is_not_called_an_invalid_version(site: Site) -> None:
    """The original's log said that the version was marked invalid, which it was not."""
    uid = site.backup(blocks([1, 2]))
    site.image.write_bytes(blocks([1, 3]))
    found = site.run("scrub", "-s", site.url, uid)
    assert found.code == DAMAGE
    said = (found.err + site.log.read_text()).lower()
    assert "different from the source" in said
    assert "invalid" not in said
    assert "damaged" not in said
    assert site.state(uid) == "valid"


def test_fault_in_section_6_the_uid_of_a_backup_is_printed_once(site: Site) -> None:
    """The later releases printed it twice under ``-m``."""
    site.image.write_bytes(blocks([1]))
    done = site.run("-m", "backup", site.url, "vm")
    (version,) = site.versions()
    assert (done.out, done.err) == (f"{version['uid']}\n", "")


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (0, 2), (2, 0)])
def test_fault_in_section_6_versions_of_different_sizes_can_be_compared(left: int, right: int, site: Site) -> None:
    """The original's diff-meta failed where the numbers of blocks differ."""
    data = blocks([1, 2, 3, 4, 5])
    one, two = (site.backup(data[: count * BLOCK]) for count in (left, right))
    common, side = min(left, right), "LEFT" if left > right else "RIGHT"
    expected = [f"SAME      {n}" for n in range(common)]
    expected += [f"NEW {side:<5} {n}" for n in range(common, max(left, right))]
    assert site.ok("diff-meta", one, two).splitlines() == expected


def _hint(block: int, count: int) -> dict[str, object]:
    return {"offset": block * BLOCK, "length": count * BLOCK, "exists": "true"}


def _statistics(site: Site) -> list[dict[str, int]]:
    names = [
        f"{unit} {kind}" for kind in ("read", "written", "dedup", "sparse", "kept") for unit in ("blocks", "bytes")
    ]
    columns = [word for name in ("size bytes", *names) for word in ("--column", name)]
    rows: list[dict[str, int]] = site.call("stats", "--format", "json", *columns).record
    return rows
