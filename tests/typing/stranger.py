"""A module as a stranger would write it, with all its types: read by mypy, never run."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_type

from backy2_core.api import (
    API_AGE,
    API_VERSION,
    PROVISIONAL,
    BackyError,
    BlobNotFoundError,
    BlobUid,
    DataBackend,
    DataBackendError,
    DataCapabilities,
    Event,
    Extent,
    Keyring,
    KeyringError,
    Listener,
    Sealed,
    Setting,
    Settings,
    SettingType,
    Source,
    StoredBlob,
    Target,
    TargetRequest,
    Transform,
    VersionRemoved,
    hookimpl,
)
from backy2_core.api_commands import ListVerb, Moment

backy2_api_version = 1


class Nothing(DataBackend):
    """A store in which nothing is."""

    @property
    def capabilities(self) -> DataCapabilities:
        return DataCapabilities(persistent=False, readable=False)

    @property
    def location(self) -> str:
        return "nowhere"

    def put(self, uid: BlobUid, data: memoryview) -> None:
        raise DataBackendError(f"{uid}: nothing is stored here", retryable=False)

    def flush(self) -> None:
        pass

    def get(self, uid: BlobUid, buffer: memoryview) -> int:
        raise BlobNotFoundError(f"there is no blob {uid}")

    def stored_size(self, uid: BlobUid) -> int:
        raise BlobNotFoundError(f"there is no blob {uid}")

    def delete(self, uids: Sequence[BlobUid]) -> None:
        pass

    def list_blobs(self) -> Iterator[StoredBlob]:
        yield StoredBlob(BlobUid("a"), 1)

    def write_document(self, name: str, data: bytes) -> None:
        pass

    def create_document(self, name: str, data: bytes) -> bool:
        return True

    def read_document(self, name: str) -> bytes | None:
        return None

    def list_documents(self, prefix: str) -> Iterator[str]:
        return iter(())

    def delete_document(self, name: str) -> None:
        pass

    def close(self) -> None:
        pass


class Zeros(Source):
    """A device of zeros."""

    @property
    def size_bytes(self) -> int:
        return 4096

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = bytes(len(buffer))

    def allocated(self) -> Iterator[Extent]:
        yield Extent(0, 4096)

    def close(self) -> None:
        pass


class Sink(Target):
    """A device that forgets."""

    def write(self, offset: int, data: memoryview) -> None:
        pass

    def zero(self, offset: int, length: int) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class Reversed(Transform):
    """Turns blocks round."""

    def __init__(self, keyring: Keyring | None) -> None:
        if keyring is None:
            raise KeyringError("reversing needs a key")
        self._key = keyring.derive("reversed example")

    @property
    def parameters(self) -> dict[str, str | int]:
        return {"format": 1}

    def seal(self, data: memoryview) -> Sealed | None:
        return Sealed(memoryview(bytes(data)[::-1]))

    def unseal(self, data: memoryview, envelope: bytes, clear_size: int) -> memoryview:
        return memoryview(bytes(data)[::-1])


class Diary(Listener):
    """Writes down what was removed."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def notify(self, event: Event) -> None:
        if isinstance(event, VersionRemoved):
            assert_type(event.version.name, str)
            self.removed.append(event.version.name)


class Names(ListVerb):
    """List names."""

    columns = ("name", "date")

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("name")

    def rows(self, parsed_args: argparse.Namespace) -> Iterable[Sequence[Any]]:
        return [(parsed_args.name, Moment(None))]


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings."""
    return [Setting("folder", SettingType.PATH, None, "Where.", required=True)]


@hookimpl
def backy2_open_data_backend(settings: Settings) -> DataBackend:
    """Open it."""
    return Nothing()


@hookimpl
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Open it."""
    return Zeros()


@hookimpl
def backy2_open_target(url: str, request: TargetRequest) -> Target:
    """Open it; takes fewer arguments than the hook has."""
    return Sink()


def of_the_door() -> None:
    """Types of values of the door."""
    assert_type(API_VERSION, int)
    assert_type(API_AGE, int)
    assert_type(PROVISIONAL, frozenset[str])
    assert_type(backy2_open_source("zeros://", {}), Source)
    assert_type(BackyError("message").exit_code, int)
    assert_type(DataCapabilities().threads, int)
