"""No key is ever shown: not in output, log, traceback, title of the process, or what lies about after a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backy2_core.assembly import open_installation
from backy2_core.config.load import load_config
from backy2_core.engine.key_change import changing_keys
from backy2_core.engine.key_document import parse
from backy2_core.engine.key_master import MasterKey
from backy2_core.engine.key_wrap import unwrap
from tests.keys.conftest import CHAIN, MAIN, OTHER, THIRD, KeySite, write_key
from tests.support.engines import settings_of


def store_key(site: KeySite, key: str) -> bytes:
    """The secret behind all."""
    [wrapped] = [slot.wrapped for slot in parse(site.document.read_bytes()).slots if slot.id == "main"]
    found = unwrap(bytes.fromhex(key), wrapped)
    assert found is not None
    return found


def forms(secret: bytes) -> list[str]:
    """How a secret may look in a text."""
    return [secret.hex(), secret.hex().upper(), repr(secret)[2:-1], str(list(secret))[1:-1]]


def test_whatever_is_done_no_key_is_shown(site: KeySite, tmp_path: Path) -> None:
    log = tmp_path / "log"
    core = f"{CHAIN}logfile = {log}\n"
    path = write_key(tmp_path / "main.key", MAIN)
    site.configure(core=core, main=f"%(file:{path})s", other=OTHER)
    uid = site.backup()
    secret = store_key(site, MAIN)
    said = []
    for argv in (
        ["key", "list"],
        ["key", "check"],
        ["key", "add", "other"],
        ["key", "remove", "nobody"],
        ["rekey", THIRD],
        ["rekey", MAIN[:-1]],
        ["plugins", "show", "backy2_v1"],
        ["plugins", "show", "aes_gcm"],
        ["plugins", "list"],
        ["scrub", uid],
        ["jobs", "--all"],
    ):
        said.append(site.call("--debug", *argv))
        said.append(site.call("--verbose", *argv))
    site.configure(core=core, main=THIRD)
    said += [site.call("--debug", *argv) for argv in (["scrub", uid], ["key", "check"], ["key", "add", "main"])]
    path.chmod(0o644)
    site.configure(core=core, main=f"%(file:{path})s")
    said.append(site.call("--debug", "scrub", uid))
    site.configure(core=core, main=f"x{MAIN}")
    said.append(site.call("--debug", "scrub", uid))
    text = "".join(ended.out + ended.err for ended in said) + log.read_text()
    assert "Traceback" in text
    for key in (bytes.fromhex(MAIN), bytes.fromhex(OTHER), bytes.fromhex(THIRD), secret):
        for form in forms(key):
            assert form not in text
    assert MAIN[:-1] not in text


def test_no_file_that_a_command_leaves_holds_a_key(site: KeySite, tmp_path: Path) -> None:
    home = Path(os.environ["HOME"])
    path = write_key(tmp_path / "main.key", MAIN)
    site.configure(main=f"%(file:{path})s")
    site.backup()
    secret = store_key(site, MAIN)
    for folder in (tmp_path, home):
        for file in folder.rglob("*"):
            if file.is_file() and file != path:
                data = file.read_bytes()
                for key in (secret, bytes.fromhex(MAIN)):
                    assert key not in data, file
                    assert key.hex().encode() not in data, file


def test_what_holds_keys_does_not_show_them(site: KeySite) -> None:
    site.backup()
    secret = store_key(site, MAIN)
    config = load_config(str(site.config))
    with open_installation(config) as installation:
        opened = installation.keys.open()
        things = [opened, opened.ring, opened.document, opened.master, installation.keys, installation.engine, config]
        text = " ".join(f"{thing!r} {thing}" for thing in things)
        text += repr([key.read() for key in installation.keys.configured]) + repr(MasterKey("x", secret))
    for key in (secret, bytes.fromhex(MAIN)):
        for form in forms(key):
            assert form not in text


def test_the_list_of_processes_does_not_go_on_showing_an_old_key(site: KeySite) -> None:
    site.backup()
    site.configure(main=OTHER)
    with open_installation(load_config(str(site.config))) as installation:
        place = installation.keys.place
        with changing_keys(place, "a test"):
            argv = [sys.executable, "-m", "backy2_core.cli.main", "-c", str(site.config), "rekey", MAIN]
            process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
            line = Path(f"/proc/{process.pid}/cmdline")
            deadline = time.monotonic() + 30
            while not (shown := line.read_text()).startswith("backy2"):
                assert time.monotonic() < deadline
            assert "rekey" in shown
            assert MAIN not in shown
        assert process.communicate(timeout=60)[1].count(MAIN) == 0
        assert process.returncode == 0


def test_the_settings_of_transforms_do_not_show_keys(site: KeySite) -> None:
    import backy2_plugins.transforms.backy2_v1 as backy2_v1

    assert set(settings_of(backy2_v1).values()) == {None}
    out = site.ok("plugins", "show", "backy2_v1", "-f", "json")
    assert MAIN not in out


@pytest.mark.parametrize("name", ["keys.json"])
def test_the_document_in_the_store_is_its_owners_alone(site: KeySite, name: str) -> None:
    site.backup()
    assert site.document.name == name
    assert site.document.stat().st_mode & 0o077 == 0
