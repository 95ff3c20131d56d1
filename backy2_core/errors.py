"""Every error backy2 raises, as one tree.

    BackyError                     100
    |-- UsageError                   2   arguments that cannot be meant
    |-- HintsError                   5   the list of changed ranges does not fit the source
    |-- ConfigError                 10   a file, section or key of the configuration
    |-- PluginError                 11   a plugin is missing, broken, or not what it says
    |-- SourceError                 12   reading what is backed up
    |-- TargetError                 13   writing what is restored
    |-- DataBackendError            14   the store of blobs
    |   |-- BlobNotFoundError       14     no blob of that uid
    |   |-- BlobExistsError         14     a blob of that uid is there already
    |   |-- BlobDamagedError        14     the stored bytes are not the ones that were put
    |   |-- BlobsKeptError          14     the store keeps blobs that were to be deleted; all others are gone
    |   `-- StoreIdentityError      14     another store than the one expected
    |-- MetaBackendError            15   the database of versions
    |   `-- SchemaError             15     the database has no schema, or that of another release
    |-- NotFoundError               16   no such version
    |-- RefusedError                17   allowed in principle, but not now or not for this version
    |-- JobLostError                18   the lease of this job ran out, its work was given up
    |-- TransformError              19   a blob cannot be packed or unpacked
    |   `-- KeyringError            21     a key is missing, or is not the one
    |-- DamageError                 20   damaged or missing blocks were found
    |-- VersionExistsError          22   a version of that uid is there already
    `-- ExchangeError               23   a dump, or a database of the original, cannot be taken over

The number is the exit code of the command that ends with the error. ``retryable`` says whether the same call may
succeed if it is made again a little later; only :mod:`backy2_core.wrappers.retrying` acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class BackyError(Exception):
    """The root: something went wrong that has a name and a message for people.

    The message names the object, what was expected, and the next step. ``retryable`` may be set for one instance.
    """

    exit_code: ClassVar[int] = 100
    retryable: bool = False

    def __init__(self, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(message)
        if retryable is not None:
            self.retryable = retryable


class UsageError(BackyError):
    """The arguments cannot be meant; nothing was done."""

    exit_code = 2


class HintsError(BackyError):
    """The list of changed ranges does not fit the source, or is not true of it."""

    exit_code = 5


class ConfigError(BackyError):
    """A configuration file, section or key is not understood; names all three."""

    exit_code = 10


class PluginError(BackyError):
    """A plugin is missing, broken or breaks its contract; names group, name and distribution."""

    exit_code = 11


class SourceError(BackyError):
    """What is to be backed up cannot be opened or read."""

    exit_code = 12


class TargetError(BackyError):
    """What a restore writes to cannot be opened or written."""

    exit_code = 13


class DataBackendError(BackyError):
    """The store of blobs cannot do what was asked."""

    exit_code = 14


class BlobNotFoundError(DataBackendError):
    """The store answered, and has no blob of that uid."""


class BlobExistsError(DataBackendError):
    """A blob of that uid is stored already; a stored blob is never overwritten."""


class BlobDamagedError(DataBackendError):
    """The store, or a transform, proved by itself that the stored bytes are not those that were put."""


class BlobsKeptError(DataBackendError):
    """The store keeps some blobs that were to be deleted (a lock, a missing right); all others of the call are gone.

    ``uids`` are those that stay.
    """

    def __init__(self, message: str, uids: Sequence[str], *, retryable: bool | None = None) -> None:
        super().__init__(message, retryable=retryable)
        self.uids = tuple(uids)


class StoreIdentityError(DataBackendError):
    """The store is not the one that the database speaks of."""


class MetaBackendError(BackyError):
    """The database of versions cannot do what was asked."""

    exit_code = 15


class SchemaError(MetaBackendError):
    """The database holds no schema of backy2, or one of another release."""


class NotFoundError(BackyError):
    """No version, job or plugin answers to that name."""

    exit_code = 16


class RefusedError(BackyError):
    """Refused to protect data: protected, too young, in use, or in the wrong state."""

    exit_code = 17


class JobLostError(BackyError):
    """This job's lease ran out (it slept, or the database was out of reach), so its work no longer counts."""

    exit_code = 18


class TransformError(BackyError):
    """A transform cannot seal or unseal a blob (missing, wrong key, damaged bytes)."""

    exit_code = 19


class KeyringError(TransformError):
    """A key is missing, or is not the one that something was sealed with; proves nothing about what was sealed."""

    exit_code = 21


class DamageError(BackyError):
    """Blocks are damaged or missing; all others were handled."""

    exit_code = 20


class VersionExistsError(BackyError):
    """A version of that uid is there already."""

    exit_code = 22


class ExchangeError(BackyError):
    """A dump, or a database of the original, cannot be taken over as it is."""

    exit_code = 23


class BlobGoneError(MetaBackendError):
    """Between look-up and commit some blobs were condemned for good; the caller stores their blocks again.

    Never leaves the engine. ``blob_ids`` are those that may not be referenced any more.
    """

    def __init__(self, blob_ids: Sequence[int]) -> None:
        super().__init__(
            f"{len(blob_ids)} blobs were removed between look-up and commit; their blocks are stored again"
        )
        self.blob_ids = tuple(blob_ids)


class BlobConflictError(MetaBackendError):
    """Blobs that were to be taken over have a record already that speaks of other contents, or that is being deleted.

    Never leaves the exchange. ``uids`` are those blobs.
    """

    def __init__(self, uids: Sequence[str]) -> None:
        super().__init__(f"{len(uids)} blobs are recorded already with other contents, such as {uids[0]}")
        self.uids = tuple(uids)
