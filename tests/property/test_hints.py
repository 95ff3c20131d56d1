"""Hints as `rbd diff --format json` prints them, and everything else that a file may hold."""

from __future__ import annotations

import contextlib
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backy2_core.engine.hints import parse_hints, within
from backy2_core.errors import HintsError
from backy2_core.model.extent import Extent

SIZE = 10_000
TRUTHS = {True: (True, "true"), False: (False, "false")}


@st.composite
def rows(draw):
    """A list of hints that fits the source, and what it must be read as."""
    out = []
    for _ in range(draw(st.integers(0, 8))):
        offset = draw(st.integers(0, SIZE))
        length = draw(st.integers(0, SIZE - offset))
        exists = draw(st.booleans())
        row = {"offset": offset, "length": length, "exists": draw(st.sampled_from(TRUTHS[exists]))}
        if exists and draw(st.booleans()):
            del row["exists"]
        out.append((row, Extent(offset, length, exists)))
    return out


@given(rows(), st.sampled_from([None, 0, 1, 4]), st.sampled_from(["", "\n", "\r\n", " \t\n\n"]))
def test_good_hints_are_read_on_one_line_and_on_many(pairs, indent, around):
    text = around + json.dumps([row for row, _ in pairs], indent=indent) + around
    assert within(parse_hints(text), SIZE) == [extent for _, extent in pairs]


def test_other_keys_are_no_error():
    text = '[{"offset": 0, "length": 4, "exists": "true", "snapshot": "x"}]'
    assert parse_hints(text).extents == [Extent(0, 4, True)]


NO_JSON = ["", " ", "[", "nonsense", "[{]", "{'offset': 1}", "[1,]", "\ufeff[]", "[] []", "[" + "1" * 5000 + "]"]
NO_LIST = ["{}", "1", "null", '"offset"', "true", '{"offset": 0, "length": 1}']
NO_ROW = ["[1]", "[null]", "[[]]", '["a"]', "[[0, 1, true]]"]
BAD_VALUES = [-1, 1.0, 1.5, "1", None, True, [], {}, float("nan"), float("inf")]
BAD_TRUTHS = ["True", "FALSE", "yes", "", 0, 1, None, [], {}, 1.0]


@pytest.mark.parametrize("text", NO_JSON + NO_LIST + NO_ROW)
def test_what_is_no_list_of_objects_is_refused(text):
    with pytest.raises(HintsError, match=r"[Hh]int"):
        parse_hints(text)


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("value", BAD_VALUES)
def test_an_offset_or_length_that_is_no_number_of_bytes_is_refused(key, value):
    with pytest.raises(HintsError, match=f"Hint 1 says {key}="):
        parse_hints(json.dumps([{"offset": 0, "length": 1}, {"offset": 0, "length": 1, key: value}]))


@pytest.mark.parametrize("key", ["offset", "length"])
def test_a_missing_offset_or_length_is_refused(key):
    row = {"offset": 0, "length": 1}
    del row[key]
    with pytest.raises(HintsError, match=key):
        parse_hints(json.dumps([row]))


@pytest.mark.parametrize("value", BAD_TRUTHS)
def test_any_other_word_for_exists_is_refused(value):
    with pytest.raises(HintsError, match="Hint 0 says exists="):
        parse_hints(json.dumps([{"offset": 0, "length": 1, "exists": value}]))


@given(st.integers(0, 2 * SIZE), st.integers(0, 2 * SIZE), st.booleans())
def test_a_hint_beyond_the_end_of_the_source_is_refused(offset, length, exists):
    text = json.dumps([{"offset": offset, "length": length, "exists": exists}])
    if offset + length <= SIZE:
        assert within(parse_hints(text), SIZE) == [Extent(offset, length, exists)]
    else:
        with pytest.raises(HintsError, match=f"beyond the end of the source, which has {SIZE} bytes"):
            within(parse_hints(text), SIZE)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(HintsError):
        parse_hints(text)


def test_nesting_beyond_measure_is_refused():
    with pytest.raises(HintsError):
        parse_hints("[" * 200_000)


SPACES = st.text(" \n\t", max_size=5)


@given(SPACES, SPACES)
def test_digests_are_equal_for_equal_texts_only(one, other):
    digests = {parse_hints(text + "[]").digest for text in (one, other)}
    assert len(digests) == len({one, other})


def test_the_digest_is_that_of_earlier_releases_so_that_their_backups_are_continued():
    assert parse_hints("[]").digest == hashlib.blake2b(b"[]", digest_size=16).hexdigest()
