"""Takes secrets out of what is written down: passwords of URLs, values of keys that say so, keys given as arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASK = "***"

# In a word of its own all up to the last @ may be the password, which need not be well formed.
_WORD_PASSWORD = re.compile(r"(\w://[^/@:]*:).*@", re.DOTALL)
_TEXT_PASSWORD = re.compile(r"(\w://[^/\s@:]*:)\S*@")
_NAMED_VALUE = re.compile(
    r"""((?:^|[?&;,\s'"({])[\w.-]*(?:password|passwd|passphrase|secret|token|access_key)[\w.-]*=)[^&;\s'"]+""",
    re.IGNORECASE,
)
_KEY = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_VERBS_WITH_KEYS = {"rekey"}
"""Verbs, of the original too, whose arguments are keys: nobody should find them in a log after a slip."""


def masked_text(text: str) -> str:
    """A running text, such as a line of the log or a traceback, without passwords."""
    return _NAMED_VALUE.sub(rf"\1{MASK}", _TEXT_PASSWORD.sub(rf"\1{MASK}@", text))


def masked_words(argv: Sequence[str]) -> list[str]:
    """The words of a command line without passwords and keys."""
    keys_follow = next((index for index, word in enumerate(argv) if word in _VERBS_WITH_KEYS), len(argv))
    return [
        MASK if index > keys_follow and not word.startswith("-") else _masked_word(word)
        for index, word in enumerate(argv)
    ]


def _masked_word(word: str) -> str:
    without_passwords = _WORD_PASSWORD.sub(rf"\1{MASK}@", word)
    return _KEY.sub(MASK, _NAMED_VALUE.sub(rf"\1{MASK}", without_passwords))
