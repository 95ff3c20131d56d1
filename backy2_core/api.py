"""The one public door: all that a plugin may import, and nothing else is promised to stay.

A plugin object carries ``backy2_api_version = API_VERSION`` (the number it was written for) and functions marked
``@hookimpl``. It is accepted if that number is within ``API_VERSION - API_AGE`` and ``API_VERSION``.
"""

from __future__ import annotations

from backy2_core.contracts.data_backend import DataBackend, DataCapabilities, StoredBlob
from backy2_core.contracts.formatter import ListFormatter, SingleFormatter
from backy2_core.contracts.hookspecs import hookimpl
from backy2_core.contracts.keyring import Keyring
from backy2_core.contracts.listener import Listener
from backy2_core.contracts.meta_backend import (
    BlobRow,
    DoomedBlob,
    KeptSegment,
    MetaBackend,
    NewSegment,
    SchemaState,
    SegmentRow,
    StoredSegment,
    StoreInfo,
    Sweep,
)
from backy2_core.contracts.original import OriginalDatabase
from backy2_core.contracts.settings import Setting, Settings, SettingType
from backy2_core.contracts.snapshots import Changes, Snapshot, Snapshots
from backy2_core.contracts.source import Source, Target, TargetRequest
from backy2_core.contracts.transform import Sealed, Transform
from backy2_core.errors import (
    BackyError,
    BlobConflictError,
    BlobDamagedError,
    BlobExistsError,
    BlobGoneError,
    BlobNotFoundError,
    BlobsKeptError,
    ConfigError,
    DamageError,
    DataBackendError,
    ExchangeError,
    HintsError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    SchemaError,
    SourceError,
    StoreIdentityError,
    TargetError,
    TransformError,
    UsageError,
    VersionExistsError,
)
from backy2_core.model.blob import (
    LOST,
    SPARSE,
    UNKNOWN_SIZE,
    BlobId,
    BlobRecord,
    BlobState,
    BlobUid,
    DedupKey,
    JobToken,
    NewBlob,
    StoreId,
)
from backy2_core.model.block import Geometry
from backy2_core.model.event import (
    BackupFinished,
    CleanupFinished,
    DamageFound,
    Event,
    JobBegan,
    JobFailed,
    RestoreFinished,
    ScrubFinished,
    VersionRemoved,
)
from backy2_core.model.extent import Extent
from backy2_core.model.job import Job, JobId, JobKind, JobState, NewJob, Use
from backy2_core.model.original import OriginalBlock, OriginalVersion, Unreadable
from backy2_core.model.secret import Secret, key_fingerprint
from backy2_core.model.segment import SegmentId, blob_ids, digest_of, segment_count
from backy2_core.model.version import (
    Counts,
    NewVersion,
    Statistics,
    Version,
    VersionFilter,
    VersionId,
    VersionState,
    VersionUid,
)

API_VERSION = 1
"""Grows with every change of a contract or a hook that an author can notice."""
API_AGE = 0
"""How many versions back a plugin may have been written for and still work."""
PROVISIONAL = frozenset(
    {
        "BlobRow",
        "DoomedBlob",
        "KeptSegment",
        "MetaBackend",
        "NewBlob",
        "NewJob",
        "NewSegment",
        "NewVersion",
        "SegmentRow",
        "StoreInfo",
        "StoredSegment",
        "Sweep",
        "blob_ids",
        "digest_of",
        "segment_count",
    }
)
"""Names that may change in any release until 1.0, without ``API_VERSION`` growing: the meta backend's contract, and the
values that only it takes or gives."""

__all__ = [
    "API_AGE",
    "API_VERSION",
    "BackupFinished",
    "BackyError",
    "BlobConflictError",
    "BlobDamagedError",
    "BlobExistsError",
    "BlobGoneError",
    "BlobId",
    "BlobNotFoundError",
    "BlobRecord",
    "BlobRow",
    "BlobState",
    "BlobUid",
    "BlobsKeptError",
    "Changes",
    "CleanupFinished",
    "ConfigError",
    "Counts",
    "DamageError",
    "DamageFound",
    "DataBackend",
    "DataBackendError",
    "DataCapabilities",
    "DedupKey",
    "DoomedBlob",
    "Event",
    "ExchangeError",
    "Extent",
    "Geometry",
    "HintsError",
    "Job",
    "JobBegan",
    "JobFailed",
    "JobId",
    "JobKind",
    "JobLostError",
    "JobState",
    "JobToken",
    "KeptSegment",
    "Keyring",
    "KeyringError",
    "LOST",
    "ListFormatter",
    "Listener",
    "MetaBackend",
    "MetaBackendError",
    "NewBlob",
    "NewJob",
    "NewSegment",
    "NewVersion",
    "NotFoundError",
    "OriginalBlock",
    "OriginalDatabase",
    "OriginalVersion",
    "PROVISIONAL",
    "PluginError",
    "RefusedError",
    "RestoreFinished",
    "SPARSE",
    "SchemaError",
    "SchemaState",
    "ScrubFinished",
    "Sealed",
    "Secret",
    "SegmentId",
    "SegmentRow",
    "Setting",
    "SettingType",
    "Settings",
    "SingleFormatter",
    "Snapshot",
    "Snapshots",
    "Source",
    "SourceError",
    "Statistics",
    "StoreId",
    "StoreInfo",
    "StoreIdentityError",
    "StoredBlob",
    "StoredSegment",
    "Sweep",
    "Target",
    "TargetError",
    "TargetRequest",
    "Transform",
    "TransformError",
    "UNKNOWN_SIZE",
    "UsageError",
    "Unreadable",
    "Use",
    "Version",
    "VersionExistsError",
    "VersionFilter",
    "VersionId",
    "VersionRemoved",
    "VersionState",
    "VersionUid",
    "blob_ids",
    "digest_of",
    "hookimpl",
    "key_fingerprint",
    "segment_count",
]
