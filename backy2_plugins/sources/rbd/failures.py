"""From the errors of librados and librbd to ours: what could not be done, why, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from backy2_core.api import BackyError
from backy2_plugins.sources.rbd import bindings

_ADVICE = {
    errno.EPERM: "the user lacks the caps for it (see `ceph auth get`), or the image is read-only",
    errno.EACCES: "check the user and the keyring, and the user's caps (see `ceph auth get`)",
    errno.ETIMEDOUT: "the cluster did not answer in time; check the network and `ceph -s`, or raise the time-outs",
    errno.ENOSPC: "the pool or the cluster is full; see `ceph df`",
    errno.EDQUOT: "the quota of the pool is used up; see `ceph osd pool get-quota`",
    errno.EBUSY: "it is in use; see `rbd status`",
    errno.EROFS: "another client holds its exclusive lock and does not give it up; see `rbd lock ls`",
    errno.ESHUTDOWN: "the cluster put this client on its blocklist; see `ceph osd blocklist ls`, and try again",
}
_PASSES = {errno.ETIMEDOUT, errno.EBUSY, errno.EAGAIN, errno.ESHUTDOWN, errno.ECONNREFUSED, errno.EHOSTUNREACH}
"""Errors after which the same call may succeed a little later."""


def failure(kind: type[BackyError], action: str, number: int, advice: Mapping[int, str] | None = None) -> BackyError:
    """The error to raise where the library could not do ``action``; ``advice`` is by error number, before the general one."""
    known = {**_ADVICE, **(advice or {})}.get(number)
    reason = os.strerror(number) if number else "unknown error of the library"
    return kind(f"cannot {action}: {reason}" + (f"; {known}" if known else ""), retryable=number in _PASSES)


def number_of(error: Exception) -> int:
    """The error number in an exception of the library; 0 where it has none."""
    return abs(int(getattr(error, "errno", None) or 0))


@contextmanager
def translated(kind: type[BackyError], action: str, advice: Mapping[int, str] | None = None) -> Iterator[None]:
    """Turn what librados and librbd raise within into ``kind``."""
    try:
        yield
    except (bindings.rados().Error, bindings.rbd().Error) as error:
        raise failure(kind, action, number_of(error), advice) from error
