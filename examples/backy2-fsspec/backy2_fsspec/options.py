"""Options of a filesystem as they stand in the configuration: one ``key=value`` a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from backy2_core.api import ConfigError, Secret

Options = dict[str, object]


def parse_options(text: str) -> Options:
    """Values that are JSON become what they mean (``2222``, ``true``, ``"2222"``); all others are texts."""
    return {key: _value(value) for key, value in _lines("options", text)}


def parse_secret_options(secret: Secret | None) -> Options:
    """All values are texts, so that a password of digits stays one. No message shows any of it."""
    return dict(_lines("secret_options", secret.reveal() if secret is not None else ""))


def check_url(url: str) -> None:
    """Refuse a URL with a password in it: URLs are shown in messages and in logs."""
    try:
        password = urlsplit(url).password
    except ValueError as error:
        raise ConfigError(
            "the url of the data backend fsspec is no URL; expected such as sftp://host/folder"
        ) from error
    if password is not None:
        raise ConfigError(
            "the url of the data backend fsspec holds a password, which would be shown in messages; "
            "write it as password=... in secret_options"
        )


def _lines(setting: str, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        key, equals, value = line.partition("=")
        if not equals or not key.strip().isidentifier():
            raise ConfigError(f"line {number} of {setting} of the data backend fsspec is not key=value")
        yield key.strip(), value.strip()


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
