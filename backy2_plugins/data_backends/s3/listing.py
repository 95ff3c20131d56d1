"""Listings of a bucket, page by page, that go on where they failed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from backy2_core.api import DataBackendError
from backy2_plugins.data_backends.s3.bucket import Bucket

T = TypeVar("T")

_TOKEN = "ContinuationToken"


class Listing(Iterator[T]):
    """What ``make`` makes of each key (without the store's prefix) and size, where that is not None.

    Lists the keys that begin with ``prefix``; ``flat``: without those that have a slash behind it. There is a page in memory at
    a time. After an error the next call asks for the same page again.
    """

    def __init__(self, bucket: Bucket, prefix: str, make: Callable[[str, int], T | None], *, flat: bool) -> None:
        self._bucket = bucket
        self._make = make
        self._rows: deque[T] = deque()
        self._more = True
        self._arguments: dict[str, Any] = {"Bucket": bucket.name, "Prefix": bucket.full_key(prefix)}
        if flat:
            self._arguments["Delimiter"] = "/"

    def __next__(self) -> T:
        while not self._rows:
            if not self._more:
                raise StopIteration
            self._fetch()
        return self._rows.popleft()

    def _fetch(self) -> None:
        self._bucket.reach()
        with self._bucket.failures.translated("list objects"):
            page = self._bucket.client.list_objects_v2(**self._arguments)
        self._check(page)
        skip = len(self._bucket.options.prefix)
        made = (self._make(row["Key"][skip:], row["Size"]) for row in page.get("Contents", ()))
        self._rows.extend(row for row in made if row is not None)
        self._more = page["IsTruncated"]
        self._arguments[_TOKEN] = page.get("NextContinuationToken", "")

    def _check(self, page: dict[str, Any]) -> None:
        """Whoever believed in an end that is none would find blobs missing, and in a page that leads to itself never end."""
        if "IsTruncated" not in page:
            what, passes = "an answer says not whether it is the last; look at the server and at proxies", True
        elif page["IsTruncated"] and page.get("NextContinuationToken", "") in ("", self._arguments.get(_TOKEN)):
            what = "the server does not say how to go on, which a store of this size needs; use another server"
            passes = False
        else:
            return
        raise DataBackendError(f"cannot list objects in {self._bucket.options.location}: {what}", retryable=passes)
