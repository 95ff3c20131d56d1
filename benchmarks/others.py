"""restic and borg as they come, where they are installed. They always compress and encrypt."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure
from benchmarks.image import Images
from benchmarks.measure import Measured
from benchmarks.modes import FIRST, FULL, HINTS, RESTORE, SCRUB, UNCHANGED
from benchmarks.subjects import Command, Subject

_PASSWORD = "benchmark"


@dataclass(slots=True)
class Restic(Subject):
    """restic as it comes, told to read every file in full. Its cache stands where the others have their database."""

    def prepare(self) -> None:
        """Make the repository, with a password file."""
        (self.folder / "password").write_text(_PASSWORD)
        measure.run(["restic", "init"], env=self.environment())

    def environment(self) -> Mapping[str, str]:
        """Repository, password and cache; everything else is the default."""
        return os.environ | {
            "RESTIC_REPOSITORY": str(self.store),
            "RESTIC_PASSWORD_FILE": str(self.folder / "password"),
            "RESTIC_CACHE_DIR": str(self.database),
        }

    def command(self, step: str) -> Command | None:
        """Backups run within the image's folder; there is nothing like hints."""
        if image := _image(self.images, step):
            return Command(["restic", "backup", "--force", "image"], [image], image.parent)
        if step == RESTORE:
            words = ["restic", "restore", "latest", "--target", str(self.restored.parent)]
            return Command(words, [self.store])
        return Command(["restic", "check", "--read-data"], [self.store]) if step == SCRUB else None

    def measure(self, step: str) -> Measured | None:
        """Without hints there is nothing to fork for."""
        return None if step == HINTS else self.run(step)


@dataclass(slots=True)
class Borg(Subject):
    """borg as it comes (repokey), told to read every file in full."""

    def prepare(self) -> None:
        """Make the repository."""
        self.store.rmdir()
        measure.run(["borg", "init", "-e", "repokey"], env=self.environment())

    def environment(self) -> Mapping[str, str]:
        """Repository and passphrase; caches and keys stand where the others have their database."""
        return os.environ | {
            "BORG_REPO": str(self.store),
            "BORG_PASSPHRASE": _PASSWORD,
            "BORG_BASE_DIR": str(self.database),
        }

    def command(self, step: str) -> Command | None:
        """Backups run within the image's folder; there is nothing like hints."""
        if image := _image(self.images, step):
            words = ["borg", "create", "--files-cache=disabled", f"::{self._archive(step)}", "image"]
            return Command(words, [image], image.parent)
        if step == RESTORE:
            archive = self._archive(FULL if self.backed_up == self.images.second else FIRST)
            return Command(["borg", "extract", "--sparse", f"::{archive}"], [self.store], self.restored.parent)
        return Command(["borg", "check", "--verify-data"], [self.store]) if step == SCRUB else None

    def measure(self, step: str) -> Measured | None:
        """Without hints there is nothing to fork for."""
        return None if step == HINTS else self.run(step)

    def _archive(self, step: str) -> str:
        return {FIRST: "first", UNCHANGED: "unchanged", FULL: "second"}[step]


def installed() -> dict[str, type[Subject]]:
    """Those of the two that are installed, by name."""
    return {name: kind for name, kind in (("restic", Restic), ("borg", Borg)) if shutil.which(name)}


def _image(images: Images, step: str) -> Path | None:
    return {FIRST: images.first, UNCHANGED: images.first, FULL: images.second}.get(step)
