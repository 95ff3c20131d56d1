"""What the cluster's error numbers mean for a store, and what to do about each."""

from __future__ import annotations

import errno
import os

from backy2_core.api import BlobDamagedError, DataBackendError
from backy2_plugins.data_backends.rados.settings import RadosOptions

_PASSING = {errno.ETIMEDOUT, errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.ENOTCONN, errno.ECONNREFUSED}
_DENIED = (errno.EPERM, errno.EACCES)
_CAPS = "mon 'allow r' osd 'allow rw pool={pool} namespace={namespace}, allow rw pool={pool} namespace={namespace}.*'"


def number_of(error: Exception) -> int:
    """The error number in an exception of the module ``rados``; 0 where it has none."""
    return int(getattr(error, "errno", None) or 0)


class Failures:
    """Turns the error numbers that calls for one store return into errors of ours. Threads: any."""

    def __init__(self, options: RadosOptions) -> None:
        self._options = options

    def of(self, number: int, action: str, *, reading: bool = False) -> DataBackendError:
        """The error for the library's error ``number`` where something was to be done: ``action`` such as "store blob X"."""
        text = f"could not {action} in {self._options.location}: {self._reason(number)}"
        if reading and number == errno.EIO:
            # The cluster found no replica whose checksum is right.
            return BlobDamagedError(text)
        return DataBackendError(text, retryable=number in _PASSING)

    def of_connecting(self, number: int, monitors: str, keyring: str) -> DataBackendError:
        """The error for a connection that did not come about; ``monitors`` are the configured addresses, ``keyring`` is
        where the user's key was looked for."""
        options = self._options
        who = f"could not connect to the Ceph cluster of {options.conf_file} as {options.user}"
        if number == errno.EINVAL or (number == errno.ENOENT and not monitors):
            return DataBackendError(
                f"{who}: its monitors were not found; expected their addresses as mon_host in {options.conf_file}, there is "
                f"{monitors!r}. `ceph config generate-minimal-conf` prints them."
            )
        if number == errno.EIO:
            return DataBackendError(
                f"{who}: the key in {keyring} cannot be read; write it anew with `ceph auth get {options.user} -o FILE`"
            )
        if number == errno.ENOENT:
            return DataBackendError(
                f"{who}: no key was found; expected one in {keyring}. Write it there with `ceph auth get-or-create "
                f"{options.user} {self._caps()}`, or name the right file as keyring in {options.conf_file}."
            )
        if number in _DENIED:
            return DataBackendError(
                f"{who}: the cluster does not know this user, or the key in {keyring} is not his. Compare it with "
                f"`ceph auth get {options.user}`."
            )
        return DataBackendError(f"{who}: {self._reason(number)}", retryable=number in _PASSING)

    def of_missing_pool(self) -> DataBackendError:
        """The error for a pool that does not exist, or not any more."""
        pool = self._options.pool
        return DataBackendError(
            f"there is no pool {pool} in the Ceph cluster of {self._options.conf_file}. For a new store make it with "
            f"`ceph osd pool create {pool}` and `ceph osd pool application enable {pool} backy2`."
        )

    def of_closed(self) -> DataBackendError:
        """The error for a store that was closed."""
        return DataBackendError(f"the store {self._options.location} was closed; open it again")

    def _reason(self, number: int) -> str:
        options = self._options
        if number == errno.ETIMEDOUT:
            return f"the cluster did not answer within {options.timeout_s} s; see `ceph -s` for what is down"
        if number == errno.ENOSPC:
            return f"pool {options.pool} is full; add OSDs, or remove versions and run a cleanup"
        if number == errno.EDQUOT:
            return (
                f"the quota of pool {options.pool} is used up; raise it with `ceph osd pool set-quota {options.pool}`, or "
                "remove versions and run a cleanup"
            )
        if number in _DENIED:
            return (
                f"{options.user} may not; it needs {self._caps()}. Add what is missing to the caps that `ceph auth get "
                f"{options.user}` shows, and give it all of them: `ceph auth caps {options.user}` replaces those that it has"
            )
        if number in (errno.EMSGSIZE, errno.EFBIG):
            return (
                "an OSD takes no object or write of that size; set object_size in section [data_backend] below its "
                "osd_max_write_size and osd_max_object_size"
            )
        if number == errno.ESHUTDOWN:
            return "the cluster has shut this client out (`ceph osd blocklist ls`); start the command again"
        return f"{os.strerror(number)} (error {number})" if number else "the library did not say why"

    def _caps(self) -> str:
        return _CAPS.format(pool=self._options.pool, namespace=self._options.namespace)
