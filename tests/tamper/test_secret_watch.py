"""The watch over all tests finds what it is there for."""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import backy2_core.cli.main as program
from backy2_core.engine.keyring import StoreKeyring, new_store_key
from backy2_core.model.secret import Secret
from tests.support import secret_watch
from tests.support.secret_watch import watched
from tests.tamper.conftest import KEY
from tests.tamper.world import World

PASSWORD = "correct horse battery"


@pytest.fixture
def watch() -> Iterator[secret_watch.SecretWatch]:
    """The one that watches this test, too: what it was shown on purpose is forgotten at the end."""
    yield secret_watch.watch
    secret_watch.watch.leaks.clear()


@pytest.mark.parametrize(
    "shown",
    [KEY, KEY.upper(), base64.b64encode(bytes.fromhex(KEY)).decode(), repr(bytes.fromhex("00" + KEY[2:]))[2:-1]],
)
def test_a_key_in_any_form_is_found_in_what_a_command_prints(watch: secret_watch.SecretWatch, shown: str) -> None:
    Secret(KEY)
    Secret("00" + KEY[2:])

    def main(argv: list[str]) -> int:
        sys.stdout.write(f"some text {shown} and more")
        return 0

    with contextlib.redirect_stdout(io.StringIO()):
        assert watched(main)(["ls"]) == 0
    assert any("backy2 ls" in leak and "<SECRET>" in leak for leak in watch.leaks)
    assert not any(KEY in leak for leak in watch.leaks)


def test_a_password_in_a_url_is_found_and_the_url_is_no_secret(watch: secret_watch.SecretWatch) -> None:
    Secret(f"postgresql://backy:{PASSWORD}@host/database")
    Secret("sqlite:////var/lib/backy2/backy2.sqlite")
    watch.look("there", "sqlite:////var/lib/backy2/backy2.sqlite and postgresql://backy:***@host/database")
    assert watch.leaks == []
    watch.look("there", f"postgresql://backy:{PASSWORD}@host/database")
    assert len(watch.leaks) == 1


def test_a_store_key_is_known_though_no_test_names_it(watch: secret_watch.SecretWatch) -> None:
    key = new_store_key()
    StoreKeyring(key)
    watch.look("there", key.hex())
    assert len(watch.leaks) == 1


def test_what_a_process_says_is_heard(watch: secret_watch.SecretWatch) -> None:
    Secret(KEY)
    subprocess.run([sys.executable, "-c", f"import sys; sys.stderr.write({KEY!r})"], capture_output=True, check=True)
    assert len(watch.leaks) == 1


def test_logs_are_read_to_their_end_and_once(watch: secret_watch.SecretWatch, tmp_path: Path) -> None:
    Secret(KEY)
    log = tmp_path / "below" / "backy2.log"
    log.parent.mkdir()
    log.write_text(f"one {KEY}\n")
    watch.look_into(tmp_path)
    watch.look_into(tmp_path)
    assert len(watch.leaks) == 1
    with log.open("a") as file:
        file.write(f"two {KEY}\n")
    watch.look_into(tmp_path)
    assert len(watch.leaks) == 2


def test_the_keys_of_a_real_command_are_known_afterwards(watch: secret_watch.SecretWatch, world: World) -> None:
    """And the command line that tests run is the one that is watched."""
    assert program.main is not program.main.__wrapped__  # type: ignore[attr-defined]
    world.site.ok("scrub", world.uid("new"))
    assert KEY in watch.secrets
    logging.getLogger(__name__).info("nothing is said of it")
    assert watch.leaks == []
