"""What a pattern in the place of an image's name means."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from backy2_core.api import SourceError
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.failures import translated
from backy2_plugins.sources.rbd.url import parse

_WILD = frozenset("*?[")


def matching(pattern: str, access: Access) -> Sequence[str] | None:
    """The URLs of the images of one pool and namespace whose names match, sorted; None if it is no pattern."""
    if not _WILD & set(pattern):
        return None
    name = parse(pattern, SourceError)
    if _WILD & set(name.place.path) or name.snapshot is not None:
        raise SourceError(
            f"{pattern} cannot be listed: a pattern may stand in the place of the image only, as in "
            "rbd://POOL/* or rbd://POOL/NAMESPACE/vm-*"
        )
    with (
        Connection(access, pattern, name.place, SourceError) as connection,
        translated(SourceError, f"list the images of {name.place.path}"),
    ):
        images = bindings.rbd().RBD().list(connection.ioctx)
    return [name.place.url(image) for image in sorted(images) if fnmatch.fnmatchcase(image, name.image)]
