"""docs/format.md is enough to read a dump of ours."""

from __future__ import annotations

import hashlib
import json

from backy2_core.exchange import own_format
from tests.docs import pages
from tests.engine.place import BLOCK, image
from tests.exchange.test_own_dump import SAMPLE, exported

PAGE = "docs/format.md"


def described():
    """The section on our own format."""
    return pages.sections(PAGE, 3)["The format own"]


def read(data, blob):
    """A reader that knows the page alone: the image of a dump, with ``blob`` to get the bytes of a blob."""
    *lines, last = data.decode("ascii").splitlines()
    assert data.endswith(b'"}\n')
    end = json.loads(last)
    assert end["sha256"] == hashlib.sha256(data[: -len('"}\n') - 64]).hexdigest()
    header, version = json.loads(lines[0]), json.loads(lines[1])["version"]
    assert (header["backy2"], header["format"]) == ("version dump", 1)
    descriptions, blocks = {}, []
    for line in map(json.loads, lines[2:]):
        if "description" in line:
            descriptions[line["description"]] = line
        elif "blocks" in line:
            assert line["first"] == len(blocks)
            for entry in line["blocks"]:
                blocks += [bytes(version["block_size"])] * entry[1] if entry[0] == "sparse" else [blob(entry[1])]
    assert len(blocks) == end["blocks"] == -(-version["size_bytes"] // version["block_size"])
    return b"".join(blocks)[: version["size_bytes"]]


def test_an_independent_reader_reads_what_was_exported(place):
    content = place.write(image("abc..a" * 40, tail="end"))
    data = exported(place, place.uid())
    assert read(data, lambda uid: place.blob_file(uid).read_bytes()) == content
    assert len(content) > 128 * BLOCK


def keys(value):
    """All keys of nested objects."""
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def test_every_key_that_is_written_is_described():
    text = described() + pages.sections(PAGE, 3)["statistics"]
    written = {key for line in SAMPLE.splitlines() for key in keys(json.loads(line))}
    missing = [key for key in written if f"`{key}`" not in text and f'"{key}":' not in text]
    assert not missing


def test_the_numbers_of_the_page_are_those_of_the_code():
    text = described()
    assert f"**{own_format.FORMAT}**" in text
    assert own_format.header().decode().strip() in text
    assert f"0 to {own_format.DESCRIPTIONS - 1}" in text
    assert own_format.MOST_LINE == 1024 * 1024
