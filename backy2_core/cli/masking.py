"""Takes secrets out of what is written down: passwords of URLs, values of keys that say so, keys given as arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

MASK = "***"

# In a word of its own all up to the last @ may be the password, which need not be well formed.
_WORD_PASSWORD = re.compile(r"(\w://[^/@:]*:)(.*)@", re.DOTALL)
_TEXT_PASSWORD = re.compile(r"(\w://[^/\s@:]*:)\S*@")
_NAMED_VALUE = re.compile(
    r"""((?:^|[?&;,\s'"({])[\w.-]*(?:password|passwd|passphrase|secret|token|access_key)[\w.-]*=)([^&;\s'"]+)""",
    re.IGNORECASE,
)
_KEY = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_VERBS_WITH_KEYS = {"rekey"}
"""Verbs, of the original too, whose arguments are keys: nobody should find them in a log after a slip."""
_LEAST_PART = 4


def masked_text(text: str) -> str:
    """A running text, such as a line of the log or a traceback, without passwords."""
    return _NAMED_VALUE.sub(rf"\1{MASK}", _TEXT_PASSWORD.sub(rf"\1{MASK}@", text))


def masked_words(argv: Sequence[str]) -> list[str]:
    """The words of a command line without passwords and keys."""
    keys = set(_given_keys(argv))
    return [MASK if word in keys else _masked_word(word) for word in argv]


def mask_for(argv: Sequence[str]) -> Callable[[str], str]:
    """Like :func:`masked_text`, and without the secrets of this command line wherever they appear.

    A library that did not understand a URL complains of a host that is half of the password.
    """
    secrets = sorted({*_given_keys(argv), *(secret for word in argv for secret in _secrets_of(word))}, key=len)
    known = re.compile("|".join(map(re.escape, reversed(secrets)))) if secrets else None

    def masked(text: str) -> str:
        return masked_text(text if known is None else known.sub(MASK, text))

    return masked


def _masked_word(word: str) -> str:
    without_passwords = _WORD_PASSWORD.sub(rf"\1{MASK}@", word)
    return _KEY.sub(MASK, _NAMED_VALUE.sub(rf"\1{MASK}", without_passwords))


def _given_keys(argv: Sequence[str]) -> list[str]:
    behind = next((index + 1 for index, word in enumerate(argv) if word in _VERBS_WITH_KEYS), len(argv))
    return [word for word in argv[behind:] if word and not word.startswith("-")]


def _secrets_of(word: str) -> Iterator[str]:
    """The secrets in a word, as they stand and decoded; of a password also its parts, which may be taken for a host."""
    found = [match[2] for pattern in (_WORD_PASSWORD, _NAMED_VALUE) for match in pattern.finditer(word)]
    for secret in (*found, *map(unquote, found), *_KEY.findall(word)):
        yield from (part for part in (secret, *re.split(r"[@/:]", secret)) if len(part) >= _LEAST_PART)
