"""What our own dump says of a version and of the blobs it refers to, checked."""

from __future__ import annotations

import json
import re
from typing import Any

from backy2_core.exchange.arriving import ArrivingVersion
from backy2_core.exchange.fields import Fault, Fields, is_text
from backy2_core.exchange.inspection import MOST_BLOCKS, MOST_BYTES, VERSION_UID
from backy2_core.exchange.own_format import Description
from backy2_core.model.block import MAX_BLOCK_SIZE, MIN_BLOCK_SIZE, Geometry
from backy2_core.model.segment import DIGEST_BYTES
from backy2_core.model.version import Counts, Statistics, VersionUid

_HASH = re.compile(r"[0-9A-Za-z_-]{1,32}")
_KEY = re.compile(r"[ -~]{0,64}")
_STATE = re.compile(r"valid|damaged")
_DIGEST = re.compile(rf"(?:[0-9a-f]{{{2 * DIGEST_BYTES}}})?")


def described_version(line: dict[str, Any], fault: Fault) -> ArrivingVersion:
    """The version that the second line describes. Raises what ``fault`` makes."""
    fields = Fields(line.get("version"), "the version", fault)
    uid = VersionUid(fields.text("uid", VERSION_UID))
    size_bytes = fields.whole("size_bytes", 0, MOST_BYTES)
    geometry = Geometry(size_bytes, fields.whole("block_size", MIN_BLOCK_SIZE, MAX_BLOCK_SIZE))
    if geometry.count > MOST_BLOCKS:
        raise fault(f"a version of {geometry.count} blocks, expected at most {MOST_BLOCKS}")
    base = fields.optional_text("base", VERSION_UID)
    return ArrivingVersion(
        uid=uid,
        name=fields.text("name"),
        snapshot_name=fields.text("snapshot_name"),
        date=fields.moment("date"),
        geometry=geometry,
        hash=fields.text("hash", _HASH),
        source=fields.text("source"),
        source_identity=fields.text("source_identity"),
        base=None if base is None else VersionUid(base),
        hints_digest=fields.text("hints_digest"),
        digest=bytes.fromhex(fields.text("digest", _DIGEST)),
        damaged=fields.text("state", _STATE) == "damaged",
        protected=fields.flag("protected"),
        expire=fields.optional_moment("expire"),
        tags=_tags(fields, fault),
        statistics=tuple(
            _statistics(Fields(entry, "statistics", fault), uid, fault)
            for entry in Fields(line, "the line of the version", fault).list("statistics")
        ),
    )


def described_chain(fields: Fields, fault: Fault) -> Description:
    """What a line describes for many blobs."""
    transforms = fields.text("transforms")
    if transforms and not _is_chain(transforms):
        raise fault("the description: transforms is no chain of transforms")
    return Description(fields.text("hash", _HASH), fields.text("key", _KEY), transforms)


def _is_chain(spec: str) -> bool:
    try:
        steps = json.loads(spec)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(steps, list)
        and len(steps) > 0
        and all(
            isinstance(step, list) and len(step) == 2 and is_text(step[0]) and isinstance(step[1], dict)
            for step in steps
        )
    )


def _tags(fields: Fields, fault: Fault) -> frozenset[str]:
    tags = fields.list("tags")
    if not all(is_text(tag) for tag in tags):
        raise fault("the version: tags is not a list of texts")
    return frozenset(tags)


def _statistics(fields: Fields, uid: VersionUid, fault: Fault) -> Statistics:
    if fields.text("uid") != uid:
        raise fault(f"statistics of another version than {uid}")
    most = 2**63 - 1
    return Statistics(
        uid=uid,
        name=fields.text("name"),
        date=fields.moment("date"),
        size_bytes=fields.whole("size_bytes", 0, most),
        size_blocks=fields.whole("size_blocks", 0, most),
        counts=Counts(**{name: fields.whole(name, 0, most) for name in Counts.__dataclass_fields__}),
        duration_s=fields.number("duration_s"),
    )
