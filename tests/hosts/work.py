"""Random work for hosts, made from what the database holds at the moment, and what may become of it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import MetaBackendError
from backy2_core.model.version import Version, VersionState
from tests.hosts.images import Images
from tests.hosts.site import EVERY, HOSTS, Site

NAMES = ("vm1", "vm2", "vm3")
MOST_VERSIONS = 12
FINE = frozenset({0})
OVERTAKEN = frozenset({0, 16, 17})
"""A version that was chosen may be removed, finished or taken by others before the process begins with it."""


@dataclass(frozen=True)
class Task:
    """A command line for a host. ``check`` is called if it ended with 0."""

    kind: str
    host: str
    words: tuple[str, ...]
    may_end_with: frozenset[int] = FINE
    check: Callable[[], None] = lambda: None


class Work:
    """Chooses. Every random choice comes from ``rng``."""

    def __init__(self, site: Site, meta: MetaBackend, rng: random.Random) -> None:
        self.images = Images(site.folder / "images", rng)
        self._site = site
        self._meta = meta
        self._rng = rng
        self._versions: list[Version] = []
        self._backups: dict[str, tuple[str, ...]] = {}
        self._restored = 0

    def choose(self) -> Task:
        """What a host does next."""
        # While the server is being restarted, what was true a moment ago is near enough.
        with contextlib.suppress(MetaBackendError):
            self._versions = list(self._meta.versions(EVERY))
        kinds: dict[Callable[[], Task], int] = {
            self.backup: 26,
            self._hinted: 18,
            self._continue: 8,
            self._restore: 14,
            self._scrub: 8,
            self._rm: 14 if len(self._versions) < MOST_VERSIONS else 40,
            self._cleanup: 8,
            self._full_cleanup: 6,
        }
        return self._rng.choices(list(kinds), list(kinds.values()))[0]()

    def backup(self) -> Task:
        """A backup of a new image."""
        return self._backup("backup", self.images.new(), (), FINE)

    def restore(self, host: str, version: Version) -> Task:
        """A restore of that version, which is compared with its image."""
        self._restored += 1
        path = self._site.folder / host / f"restored-{self._restored}"
        return Task(
            "restore", host, ("restore", version.uid, f"file://{path}"), OVERTAKEN, lambda: self._compare(version, path)
        )

    def _compare(self, version: Version, path: Path) -> None:
        same = path.read_bytes() == self.images.content(int(version.snapshot_name))
        assert same, f"version {version.uid} of image {version.snapshot_name} was restored as something else: {path}"
        path.unlink()

    def _hinted(self) -> Task:
        base = self._pick(VersionState.VALID)
        if base is None:
            return self.backup()
        number, hints = self.images.changed(int(base.snapshot_name))
        return self._backup("backup from hints", number, ("-r", str(hints), "-f", base.uid), OVERTAKEN)

    def _continue(self) -> Task:
        version = self._pick(VersionState.INCOMPLETE)
        if version is None:
            return self.backup()
        words = self._backups[version.snapshot_name]
        return Task("continued backup", self._host(), ("backup", "-c", version.uid, *words), OVERTAKEN)

    def _restore(self) -> Task:
        version = self._pick(VersionState.VALID)
        return self.restore(self._host(), version) if version else self.backup()

    def _scrub(self) -> Task:
        version = self._pick(VersionState.VALID)
        return Task("scrub", self._host(), ("scrub", version.uid), OVERTAKEN) if version else self.backup()

    def _rm(self) -> Task:
        version = self._pick(VersionState.INCOMPLETE if self._rng.random() < 0.1 else VersionState.VALID)
        if version is None or len(self._versions) < 4:
            return self.backup()
        return Task("rm", self._host(), ("rm", version.uid), OVERTAKEN)

    def _cleanup(self) -> Task:
        return Task("cleanup", self._host(), ("cleanup",))

    def _full_cleanup(self) -> Task:
        return Task("full cleanup", self._host(), ("cleanup", "--full"))

    def _backup(self, kind: str, number: int, options: tuple[str, ...], may_end_with: frozenset[int]) -> Task:
        host = self._host()
        words = ("-s", str(number), *options, f"file://{self.images.path(number)}", self._rng.choice(NAMES))
        self._backups[str(number)] = words
        refusing = frozenset({17}) if HOSTS[host] == "refuse" else frozenset()
        return Task(kind, host, ("backup", *words), may_end_with | refusing)

    def _pick(self, state: VersionState) -> Version | None:
        found = [version for version in self._versions if version.state is state]
        return self._rng.choice(found) if found else None

    def _host(self) -> str:
        return self._rng.choice(list(HOSTS))
