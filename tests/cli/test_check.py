"""The verb ``check``: its table, its formats, its exit codes and its log; and the prefix of ``cleanup``."""

from __future__ import annotations

import json
import re

from tests.cli.conftest import Backy

BLOB = "*/*/*.blob"


def blobs(backy: Backy) -> list:  # type: ignore[type-arg]
    return sorted(path for path in backy.store.glob(BLOB) if path.parent.parent.name != "backy2")


def rows(text: str) -> dict[str, dict[str, object]]:
    return {row["what"]: row for row in json.loads(text)}


def test_a_sound_installation_ends_with_0_and_a_table(backy: Backy) -> None:
    backy.backup()
    out = backy.ok("check")
    assert [line.split("|")[1].strip() for line in out.splitlines() if line.startswith("| ")] == [
        "what",
        "versions",
        "segments",
        "missing_blobs",
        "wrong_sizes",
        "surplus_objects",
        "unused_blobs",
        "jobs",
        "incomplete_versions",
        "metadata_copies",
        "unknown_versions",
    ]
    assert {row["verdict"] for row in rows(backy.ok("check", "-f", "json")).values()} == {"ok"}


def test_damage_is_printed_logged_and_ends_with_20(backy: Backy) -> None:
    uid = backy.backup()
    blob = blobs(backy)[0]
    blob.chmod(0o600)
    blob.write_bytes(blob.read_bytes()[:-1])
    ended = backy.call("check", "-f", "json")
    assert ended.code == 20
    found = rows(ended.out)
    assert (found["wrong_sizes"]["problems"], found["wrong_sizes"]["verdict"]) == (1, "damage")
    assert (found["versions"]["problems"], found["versions"]["checked"]) == (1, 1)
    errors = [line for line in ended.err.splitlines() if line.startswith("ERROR")]
    assert any(blob.stem in line for line in errors)
    assert any(uid in line for line in errors)
    assert blob.stem in backy.log_file.read_text()
    assert "damaged" in backy.ok("ls")


def test_machine_output_has_a_line_for_each_thing(backy: Backy) -> None:
    backy.backup()
    blobs(backy)[0].unlink()
    ended = backy.call("-m", "check")
    assert ended.code == 20
    lines = [line.split("|") for line in ended.out.splitlines()]
    assert lines[0] == ["type", "what", "checked", "problems", "verdict", "detail"]
    assert {len(line) for line in lines} == {6}
    assert {line[0] for line in lines[1:]} == {"check"}
    assert [line[3:5] for line in lines if line[1] == "missing_blobs"] == [["1", "damage"]]


def test_a_dry_run_marks_nothing(backy: Backy) -> None:
    backy.backup()
    blobs(backy)[0].unlink()
    for option in ("--dry-run", "--read-only"):
        assert backy.call("check", option).code == 20
        assert "damaged" not in backy.ok("ls")
    assert backy.call("check").code == 20
    assert "damaged" in backy.ok("ls")


def test_an_unknown_version_in_the_store_ends_with_14(backy: Backy) -> None:
    uid = backy.backup()
    head = backy.store / "backy2" / "versions" / f"{uid}.json"
    other = "11111111-2222-4333-8444-555555555555"
    head.with_name(f"{other}.json").write_bytes(head.read_bytes())
    ended = backy.call("check", "-f", "json")
    assert ended.code == 14
    assert rows(ended.out)["unknown_versions"]["verdict"] == "mismatch"
    assert other in ended.err


def test_what_is_only_untidy_ends_with_0_and_a_warning(backy: Backy) -> None:
    backy.backup()
    (backy.store / "ab" / "cd").mkdir(parents=True, exist_ok=True)
    (backy.store / "ab" / "cd" / "abcd0123.blob").write_bytes(b"1")
    found = rows(backy.ok("check", "-f", "json"))
    assert (found["surplus_objects"]["problems"], found["surplus_objects"]["verdict"]) == (1, "note")


def test_checks_beside_backups_and_cleanups_raise_no_alarm(backy: Backy) -> None:
    """Real processes, side by side: whatever the order in which they come, nothing is wrong at any moment."""
    backy.backup(name="kept")
    backy.image  # noqa: B018 # made before the processes need it
    uids = [backy.backup(name=f"gone{number}") for number in range(3)]
    for uid in uids:
        backy.ok("rm", uid)
    others = [
        backy.spawn("backup", backy.image, "new"),
        backy.spawn("cleanup", "--full"),
    ]
    checks = 0
    while any(process.poll() is None for process in others) or not checks:
        ended = backy.call("check", "-f", "json")
        assert ended.code == 0, ended.out + ended.err
        checks += 1
    for process in others:
        _, err = process.communicate()
        assert process.returncode == 0, err


def test_the_help_names_the_codes(backy: Backy) -> None:
    text = backy.ok("check", "--help")
    assert re.search(r"^\s+14\s", text, re.MULTILINE)
    assert re.search(r"^\s+20\s", text, re.MULTILINE)


def test_the_prefix_of_a_cleanup_needs_full(backy: Backy) -> None:
    backy.backup()
    ended = backy.call("cleanup", "-p", "ab")
    assert ended.code == 2
    assert "--full" in ended.err


def test_a_full_cleanup_with_a_prefix_passes_over_other_objects(backy: Backy) -> None:
    backy.backup()
    for uid in ("abcd0123", "ef010123"):
        path = backy.store / uid[:2] / uid[2:4] / f"{uid}.blob"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    assert json.loads(backy.ok("cleanup", "-f", "-p", "abcd", "--format", "json"))["foreign_objects"] == 1
    assert json.loads(backy.ok("cleanup", "-f", "--format", "json"))["foreign_objects"] == 2
