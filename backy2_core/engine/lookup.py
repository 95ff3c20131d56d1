"""Finding the one version that people mean."""

from __future__ import annotations

from backy2_core.contracts.meta_backend import MetaBackend
from backy2_core.errors import NotFoundError, UsageError
from backy2_core.model.version import Version, VersionFilter, VersionState, VersionUid

_LATEST = "latest:"


def find_version(meta: MetaBackend, text: str) -> Version:
    """The version that ``text`` names: a uid, an unambiguous beginning of one, or ``latest:NAME``.

    ``latest:NAME`` is the newest valid version of that name.
    """
    if text.startswith(_LATEST):
        return latest_valid(meta, text.removeprefix(_LATEST))
    if not text:
        raise UsageError("An empty text names no version; give a uid, its beginning, or latest:NAME.")
    found = list(meta.versions(VersionFilter(uid_prefix=text)))
    exact = [version for version in found if version.uid == text]
    if exact:
        return exact[0]
    if not found:
        raise NotFoundError(f"There is no version {text!r}; `backy2 ls` lists those there are.")
    if len(found) > 1:
        some = ", ".join(version.uid for version in found[:3])
        raise UsageError(f"{text!r} is the beginning of {len(found)} versions ({some}, ...); give more of it.")
    return found[0]


def latest_valid(meta: MetaBackend, name: str) -> Version:
    """The newest valid version of ``name``."""
    found = list(meta.versions(VersionFilter(name=name, states=frozenset({VersionState.VALID}))))
    if not found:
        raise NotFoundError(f"There is no valid version of {name!r}; `backy2 ls` lists those there are.")
    return max(found, key=lambda version: (version.date, version.id))


def get_version(meta: MetaBackend, uid: VersionUid) -> Version:
    """The version of exactly this uid."""
    for version in meta.versions(VersionFilter(uid_prefix=uid)):
        if version.uid == uid:
            return version
    raise NotFoundError(f"There is no version {uid}; `backy2 ls` lists those there are.")
