"""What went wrong between this machine and the server, said so that somebody can act on it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from botocore import exceptions as boto
from urllib3.exceptions import HTTPError

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.s3.codes import FOREIGN, KEPT, UNABLE, UNKNOWN, UNSUPPORTED, Meaning, meaning_of
from backy2_plugins.data_backends.s3.unanswered import why_unanswered


class Failures:
    """Makes errors of our tree from those of boto3, for one store.

    It remembers whether the server ever took a request: an unknown host or an answer that makes no sense is a mistake in the
    configuration before that, and a passing disturbance afterwards.
    """

    def __init__(self, location: str, bucket: str) -> None:
        self._location = location
        self._bucket = bucket
        self.accepted = False

    @contextlib.contextmanager
    def translated(self, action: str, asked_for: Sequence[str] = ()) -> Iterator[None]:
        """Raise :class:`DataBackendError` for whatever boto3 raises within; ``action`` says what was being done.

        ``asked_for``: settings, as they are written, that the request carries and that servers may not know.
        """
        try:
            yield
        except boto.ClientError as error:
            raise self._failure(action, *self._explain(error.response, asked_for)) from error
        except (boto.BotoCoreError, HTTPError, OSError) as error:
            raise self._failure(action, *why_unanswered(error, self.accepted)) from error

    def refusal(self, code: str, message: str) -> tuple[str, bool]:
        """Why the server refused to delete one object of many, with the next step, and whether that may pass."""
        meaning = meaning_of(code, 0)
        passes = meaning is not None and meaning.passes
        said = f"{code}: {message}" if message else code
        return f"{said}; {meaning.advice if meaning and passes else KEPT}", passes

    def _failure(self, action: str, reason: str, retryable: bool) -> DataBackendError:
        return DataBackendError(f"cannot {action} in {self._location}: {reason}", retryable=retryable)

    def _explain(self, response: Any, asked_for: Sequence[str]) -> tuple[str, bool]:
        about = response.get("ResponseMetadata", {})
        headers, status = about.get("HTTPHeaders", {}), about.get("HTTPStatusCode", 0)
        code, message = response["Error"].get("Code") or "", response["Error"].get("Message") or ""
        meaning = self._meaning(code, status, headers.get("content-type", ""))
        if asked_for and meaning in (UNKNOWN, UNABLE):
            meaning = UNSUPPORTED
        region = (
            response["Error"].get("Region") or headers.get("x-amz-bucket-region") or "the one that the server names"
        )
        said = f"{code or status}: {message}" if message else f"{code or status}"
        advice = meaning.advice.format(bucket=self._bucket, region=region, settings=" or ".join(asked_for))
        return f"{said}; {advice}", meaning.passes or (meaning.passes_later and self.accepted)

    def _meaning(self, code: str, status: int, content_type: str) -> Meaning:
        nameless = code.isdigit() or not code
        # To boto3 a page that is no answer to a listing is an error 500 of the server.
        if nameless and status == 500 and "html" in content_type and not self.accepted:
            return FOREIGN
        return meaning_of(code, status) or (FOREIGN if nameless else UNKNOWN)


def code_of(error: boto.ClientError) -> str:
    """The server's word for what went wrong, or the number of the HTTP status."""
    return str(error.response["Error"].get("Code", ""))
