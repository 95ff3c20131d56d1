"""Edits of the database behind the engine's back, as a bad disk, a hand or a stale copy would make them."""

from __future__ import annotations

import struct

from backy2_core.model.segment import ENTRY_BYTES


def segment_rows(place):
    return place.sql(f"SELECT id, data FROM {place.table('segments')} ORDER BY id")


def edit_segment(place, change, row=0):
    """Let ``change`` edit the packed entries of a segment as a list."""
    number, data = segment_rows(place)[row]
    entries = [data[at : at + ENTRY_BYTES] for at in range(0, len(data), ENTRY_BYTES)]
    change(entries)
    place.sql(f"UPDATE {place.table('segments')} SET data = ? WHERE id = ?", b"".join(entries), number)


def edit_map(place, uid, change):
    """Let ``change`` edit the list of segment ids in the map of a version."""
    version, maps = place.version(uid).id, place.table("maps")
    ((data,),) = place.sql(f"SELECT data FROM {maps} WHERE version = ?", version)
    ids = list(struct.unpack(f"<{len(data) // 8}q", data))
    change(ids)
    place.sql(f"UPDATE {maps} SET data = ? WHERE version = ?", struct.pack(f"<{len(ids)}q", *ids), version)


def swap_ids(entries):
    """Two entries exchange their ids and keep their leaves: each points to the bytes of the other."""
    one, other = entries[0], entries[1]
    entries[0], entries[1] = other[:8] + one[8:], one[:8] + other[8:]


def swap_entries(entries):
    entries[0], entries[1] = entries[1], entries[0]


def unknown_id(entries):
    entries[1] = struct.pack("<q", 999_999) + entries[1][8:]


def lost_id(entries):
    entries[1] = struct.pack("<q", -1) + entries[1][8:]


def sparse_id(entries):
    """The id is 0 while the leaf still says that there was data."""
    entries[1] = bytes(8) + entries[1][8:]


def sparse_entry(entries):
    entries[1] = bytes(ENTRY_BYTES)


def cut_segment(entries):
    entries.pop()


def longer_segment(entries):
    entries.append(entries[0])


def swap_segments(ids):
    ids[0], ids[1] = ids[1], ids[0]


def repeat_segment(ids):
    ids[1] = ids[0]


def cut_map(ids):
    ids.pop()


def empty_map(ids):
    ids.clear()


def longer_map(ids):
    ids.append(ids[0])


def unknown_segment(ids):
    ids[1] = 999_999


SEGMENT_EDITS = [swap_entries, unknown_id, lost_id, sparse_entry, cut_segment, longer_segment, swap_ids]
MAP_EDITS = [swap_segments, repeat_segment, cut_map, empty_map, longer_map, unknown_segment]
