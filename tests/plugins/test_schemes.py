"""A URL says which source it wants."""

from __future__ import annotations

import pytest

from backy2_core.errors import PluginError, UsageError
from backy2_core.plugins.schemes import scheme_of

KNOWN = ["file", "my_own", "null", "rbd"]


@pytest.mark.parametrize("url", ["file:///dev/sda", "rbd://pool/image@snap", "null://1G", "my_own://x"])
def test_the_scheme_is_what_stands_before_the_slashes(url: str) -> None:
    assert scheme_of(url, KNOWN) == url.partition(":")[0]


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("/dev/sda", "Did you mean file:///dev/sda?"),
        ("C:disk", "has no scheme"),
        ("file:/dev/sda", "Did you mean file://dev/sda?"),
        ("rbd:pool/image", "Did you mean rbd://pool/image?"),
        ("", "an empty text is no URL"),
    ],
)
def test_a_path_is_no_url_and_the_message_says_what_would_be_one(url: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        scheme_of(url, KNOWN)
    assert hint in str(caught.value)


def test_an_unknown_scheme_names_the_nearest_and_all_known() -> None:
    with pytest.raises(PluginError) as caught:
        scheme_of("rdb://pool/image", KNOWN)
    assert "no source for rdb:// is installed. Did you mean rbd://?" in str(caught.value)
    assert "Known are: file://, my_own://, null://, rbd://" in str(caught.value)
    with pytest.raises(PluginError, match=r"Known are: none$"):
        scheme_of("rdb://pool/image", [])
