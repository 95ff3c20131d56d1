"""Uids of blobs: one for each blob that a job stores, from which the job can be told."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from backy2_core.model.blob import blob_uid, job_token_of

DIGITS = "0123456789abcdef"
TOKENS = st.text(DIGITS, min_size=16, max_size=16)
NUMBERS = st.integers(0, 2**48 - 1)


@given(TOKENS, NUMBERS)
def test_a_uid_is_32_hex_digits_that_name_its_job(token, number):
    uid = blob_uid(token, number)
    assert len(uid) == 32
    assert set(uid) <= set(DIGITS)
    assert job_token_of(uid) == token


@given(TOKENS, TOKENS, NUMBERS, NUMBERS)
def test_two_blobs_never_share_a_uid(token, other, number, another):
    assert (blob_uid(token, number) == blob_uid(other, another)) == ((token, number) == (other, another))


@given(TOKENS, st.integers(0, 2**32))
def test_256_blobs_in_a_row_share_a_folder(token, batch):
    folders = Counter(blob_uid(token, number)[:4] for number in range(batch * 256, batch * 256 + 512))
    assert sorted(folders.values()) == [256, 256]


@given(TOKENS, NUMBERS, st.integers(0, 31), st.sampled_from(DIGITS))
def test_a_uid_with_another_folder_is_not_of_our_making(token, number, place, digit):
    uid = blob_uid(token, number)
    changed = uid[:place] + digit + uid[place + 1 :]
    if place < 4 and changed != uid:
        assert job_token_of(changed) is None


@given(st.text() | st.text(DIGITS, max_size=40) | st.text(DIGITS.upper(), min_size=32, max_size=32))
def test_only_a_uid_of_our_making_names_a_job(text):
    token = job_token_of(text)
    if token is not None:
        assert blob_uid(token, int(text[20:], 16)) == text
    if len(text) != 32 or text != text.lower():
        assert token is None
