"""Bringing the copy of a version's metadata in the store up to date, for verbs that need only the database otherwise."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from backy2_core.errors import BackyError

if TYPE_CHECKING:
    from backy2_core.assembly import Installation
    from backy2_core.model.version import VersionUid

log = logging.getLogger(__name__)


def refresh_copy(installation: Installation, uid: VersionUid) -> None:
    """After a change in the database. Where the store cannot be reached, that is a warning: the change stands."""
    from backy2_core.engine.copies import update_copy

    try:
        update_copy(installation.engine, uid)
    except BackyError as error:
        log.warning(
            "The copy of version %s in the store was not brought up to date; `backy2 cleanup --full` does it later: %s",
            uid,
            error,
        )
