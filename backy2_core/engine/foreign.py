"""Blobs that another program put into the store, and may still use. INVARIANT 8 lives here.

While an installation of the original is taken over, both work on one store, and the original does not know what we do. So a
document of the store, ``take-over.json``, is made before the first blob is taken over; until it says that the take-over is
finished, no cleanup deletes a blob that no job of this database put there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from backy2_core.contracts.data_backend import DataBackend
from backy2_core.contracts.meta_backend import BlobRow
from backy2_core.engine.context import Engine
from backy2_core.errors import RefusedError
from backy2_core.model.blob import BlobId, BlobState, BlobUid, job_token_of

log = logging.getLogger(__name__)

TAKE_OVER = "take-over.json"
FORMAT = 1


def begin_take_over(data: DataBackend) -> None:
    """Say in the store that it holds blobs of another program; nothing where it says so already. Durable on return."""
    data.create_document(TAKE_OVER, _document(finished=None))


def reopen_take_over(data: DataBackend) -> None:
    """The same where the take-over was declared finished: something new came, so the other program is in use after all."""
    begin_take_over(data)
    if not take_over_is_open(data):
        log.warning(
            "The take-over was finished, and is open again; until `backy2 adopt --finish` no cleanup deletes foreign blobs"
        )
        data.write_document(TAKE_OVER, _document(finished=None))


def finish_take_over(data: DataBackend) -> None:
    """Say in the store that the other program is not used any more. Refused where nothing was ever taken over."""
    if data.read_document(TAKE_OVER) is None:
        raise RefusedError(
            f"Nothing was taken over in the store at {data.location}, so there is nothing to finish; `backy2 adopt` begins it."
        )
    data.write_document(TAKE_OVER, _document(finished=datetime.now(UTC)))


def take_over_is_open(data: DataBackend) -> bool:
    """True while another program may still use blobs of this store; also where its document cannot be understood."""
    text = data.read_document(TAKE_OVER)
    if text is None:
        return False
    try:
        return not json.loads(text)["finished"]
    except (ValueError, KeyError, TypeError):
        return True


class ForeignBlobs:
    """Tells for the time of one cleanup which blobs must stay for another program's sake."""

    def __init__(self, engine: Engine) -> None:
        self._meta = engine.meta
        self._open = take_over_is_open(engine.data)

    def among(self, rows: Sequence[BlobRow], going: Collection[int]) -> set[int]:
        """Those of the blobs ``going`` (ids of ``rows``) that must stay. The unseen may go: with them no object goes."""
        if not self._open or not going:
            return set()
        wanted = set(going)
        seen = [row.id for row in rows if row.id in wanted and row.state is not BlobState.UNSEEN]
        uids = {record.id: record.uid for record in self._meta.read_blobs(seen).values()}
        return self._not_ours(uids)

    def _not_ours(self, uids: dict[BlobId, BlobUid]) -> set[int]:
        tokens = {number: job_token_of(uid) for number, uid in uids.items()}
        ours = self._meta.find_jobs({token for token in tokens.values() if token is not None})
        return {number for number, token in tokens.items() if token not in ours}


def _document(finished: datetime | None) -> bytes:
    when = None if finished is None else finished.isoformat()
    return json.dumps({"format": FORMAT, "finished": when}, indent=1).encode()
