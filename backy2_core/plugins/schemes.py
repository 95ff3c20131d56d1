"""Which source a URL asks for."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence

from backy2_core.errors import PluginError, UsageError

# Any name that an entry point may have; stricter rules for schemes would hide a source that is installed.
_SCHEME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_+.-]*)://")


def scheme_of(url: str, known: Sequence[str]) -> str:
    """The scheme of ``url``, one of the ``known`` names of sources.

    Raises :class:`UsageError` if it has none, :class:`PluginError` if no source of that name is installed.
    """
    match = _SCHEME.match(url)
    if match is None:
        raise UsageError(_without_scheme(url, known))
    scheme = match[1]
    if scheme in known:
        return scheme
    close = difflib.get_close_matches(scheme, known, n=1)
    hint = f"Did you mean {close[0]}://? " if close else ""
    names = ", ".join(f"{name}://" for name in sorted(known)) or "none"
    raise PluginError(f"{url}: no source for {scheme}:// is installed. {hint}Known are: {names}")


def _without_scheme(url: str, known: Sequence[str]) -> str:
    head, colon, rest = url.partition(":")
    if colon and head in known:
        return f"{url} is no URL: after {head}: two slashes must follow. Did you mean {head}://{rest.lstrip('/')}?"
    return f"{url or 'an empty text'} is no URL: it has no scheme. Did you mean file://{os.path.abspath(url)}?"
