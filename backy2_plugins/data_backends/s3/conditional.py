"""Whether the server keeps an object from being written twice, found out before the first write."""

from __future__ import annotations

import logging
import threading

from botocore.exceptions import ClientError

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.s3.bucket import Bucket
from backy2_plugins.data_backends.s3.failures import code_of
from backy2_plugins.data_backends.s3.layout import PROBE

_UNKNOWN_TO_IT = ("NotImplemented", "InvalidArgument", "InvalidRequest", "501")

log = logging.getLogger(__name__)


class ConditionalWrites:
    """Answers for one store; ``choice`` is "yes", "no", or "auto" for asking the server, once."""

    def __init__(self, bucket: Bucket, choice: str) -> None:
        self._bucket = bucket
        self._known = {"yes": True, "no": False}.get(choice)
        self._asking = threading.Lock()

    def are_supported(self) -> bool:
        """True if a put with ``If-None-Match: *`` fails where there is an object. Raises :class:`DataBackendError`."""
        with self._asking:
            if self._known is None:
                self._known = self._ask()
                if not self._known:
                    log.warning(
                        "The server of %s does not keep objects from being written twice (If-None-Match): let one host alone"
                        " make the first backup into a new store. conditional_writes = no silences this.",
                        self._bucket.options.location,
                    )
            return self._known

    def _ask(self) -> bool:
        # The object is written once in the life of a store and stays, so a lock or a missing right to delete is no matter.
        try:
            return not (self._bucket.put(PROBE, b"", only_new=True) and self._bucket.put(PROBE, b"", only_new=True))
        except DataBackendError as error:
            if not isinstance(error.__cause__, ClientError) or code_of(error.__cause__) not in _UNKNOWN_TO_IT:
                raise
        # Anything in the request may be what it does not take. What is not the condition is refused without it, too.
        self._bucket.put(PROBE, b"")
        return False
