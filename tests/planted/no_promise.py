"""What contracts say that no fault is planted against, by role, with the reason."""

from __future__ import annotations

DESCRIPTION = "says what a thing is; its promises are in the sentences beside it"
PERMISSION = "allows something, so that nothing can break it"
CALLER = "a duty of the caller, or of the engine"
UNSEEN = "no suite can see it"
REMOVED = (
    "the suite of snapshots removes one that is read: test_what_was_read_of_one_that_was_removed_is_right_or_denied"
)

NO_PROMISE: dict[str, dict[str, str]] = {
    "data_backend": {
        "the engine and the conformance kit go by it, never by a name.": CALLER,
        "One row of a listing.": DESCRIPTION,
        "A store of blobs by uid, and of a few small named documents beside them.": DESCRIPTION,
        "Until then it may be gone.": PERMISSION,
        "A store that cannot check atomically may rely on uids being unique.": PERMISSION,
        "If it raises, any of these blobs may be missing, and the caller must not refer to them.": PERMISSION,
        "After any other error each of them may be gone or not.": PERMISSION,
        "A blob put or deleted while the listing runs may be in it or not;": PERMISSION,
        "There may be a hundred million:": DESCRIPTION,
        "they are not to be held in memory, which no test of the suite can see.": UNSEEN,
        "No part is .": CALLER,
        "or .., and no name is the folder of another.": CALLER,
        "No other names are passed, so they need not be refused.": CALLER,
        "A document made or deleted while the listing runs may be in it or not;": PERMISSION,
    },
    "source": {
        "A device opened for reading.": DESCRIPTION,
        "the others from one at a time.": CALLER,
        "A backup is continued only on a source of the same identity.": CALLER,
        "Raise SourceError where what was read may not be what was opened.": REMOVED,
        "Asked when all was read, before anybody believes it.": CALLER,
        "For devices that give other bytes, and no error, once what is read was removed:": DESCRIPTION,
        "a snapshot of RBD for one.": DESCRIPTION,
        "All others have nothing to do here.": PERMISSION,
    },
    "target": {
        "What a restore needs:": DESCRIPTION,
        "A device opened for writing by a restore.": DESCRIPTION,
    },
    "snapshots": {
        "One snapshot of a device.": DESCRIPTION,
        "By the mark the engine knows which backup made it, and whether that was one of this installation at all:": CALLER,
        "those of others are never removed.": CALLER,
        "What changed from one snapshot to a later one.": DESCRIPTION,
        "They may come in any order, overlap, and reach beyond the end.": PERMISSION,
        "What only one of the two sizes covers need not be in them.": PERMISSION,
        "what made this slower or less exact than it could be, and how to mend it.": DESCRIPTION,
        "The snapshots of one device, open for making, comparing and removing them.": DESCRIPTION,
        "for one thread at a time.": CALLER,
        "Killed at any moment, this leaves either no snapshot, or one that list shows as own, with its mark.": (
            "a suite cannot kill within a library's call; tests/sources/test_rbd_asking.py and its neighbours do, for rbd"
        ),
        "What changed between two of them, the older of which stands before the newer in list.": DESCRIPTION,
    },
    "transform": {
        "A transform's result:": DESCRIPTION,
        "One step of the chain between a clear block and a stored blob.": DESCRIPTION,
        "Behind a step with a key it would find nothing that does, so a configuration that puts it there is refused.": CALLER,
        "the block is then reported as damaged, and the job goes on.": CALLER,
    },
    "formatter": {
        "Contract of output formatters:": DESCRIPTION,
        "cliff's own two base classes.": DESCRIPTION,
        "cliff documents their methods:": DESCRIPTION,
    },
    "listener": {
        "Is told of events after the fact.": DESCRIPTION,
        "called from the thread that runs the command, one event at a time.": CALLER,
        "An exception is logged with the name of the distribution, and changes neither the outcome nor the exit code.": CALLER,
    },
    "meta_backend": {
        "How the database's schema compares with what this release needs.": DESCRIPTION,
        "A packed segment to be stored and appended to a map.": DESCRIPTION,
        "fresh are the ids in it that the caller learned from a look-up or from recording, not from the map of a version that "
        "its job names;": CALLER,
        "only those are checked when it is committed (see docs/decisions).": "to check more does no harm, it only takes longer",
        "A stored segment to be appended to a map as it is:": DESCRIPTION,
        "from a version that the job names, or from its own map.": CALLER,
        "A store that the database knows.": DESCRIPTION,
        "A segment as it is stored.": DESCRIPTION,
        "What a cleanup sees of a segment.": DESCRIPTION,
        "condemned is None, or the stamp at which it was condemned.": DESCRIPTION,
        "What a cleanup sees of a blob record.": DESCRIPTION,
        "A blob in state deleting:": DESCRIPTION,
        "its object may be deleted, then its record.": CALLER,
        "What one batch of a cleanup changes, as (id, generation) seen in the scan.": DESCRIPTION,
        "The database.": DESCRIPTION,
        "This contract is provisional until 1.0:": DESCRIPTION,
        "it may change in any release, see api.PROVISIONAL.": DESCRIPTION,
        "only where the connection was lost while the change was being confirmed may it have been made, and then retryable is "
        "False and the message says so.": (
            "a suite cannot cut a connection within a commit; tests/meta_backends/test_restarts.py does, for servers"
        ),
        "Time is the database's own clock (no test of the suite can turn it back).": UNSEEN,
        "Rule 10 of the cleanup protocol.": DESCRIPTION,
        "These blobs were found in the store with these stored sizes:": DESCRIPTION,
        "Only for looks at the store that began after the record was committed.": CALLER,
        "What was condemned with a stamp below it was condemned before every live job began, and before this cleanup did.": (
            DESCRIPTION
        ),
    },
}
