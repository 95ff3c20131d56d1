"""The faults of meta backends, planted by several modules."""

from __future__ import annotations

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
from tests.planted.fault import Faults

FAULTS = Faults(
    "meta_backend",
    (
        SchemaState,
        NewSegment,
        KeptSegment,
        StoreInfo,
        StoredSegment,
        SegmentRow,
        BlobRow,
        DoomedBlob,
        Sweep,
        MetaBackend,
    ),
)
plant = FAULTS.plant
