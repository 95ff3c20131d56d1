"""What a pattern in the place of an image's name means."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from backy2_core.api import SourceError
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.failures import translated
from backy2_plugins.sources.rbd.url import Name, Place, parse

_WILD = frozenset("*?[")
_WHERE = "a pattern may stand in the place of the image only, as in rbd://POOL/* or rbd://POOL/NAMESPACE/vm-*"


def matching(pattern: str, access: Access) -> Sequence[str] | None:
    """The URLs of the images of one pool and namespace whose names match, sorted; None if it names one image alone.

    Names of images may hold the characters of a pattern. One of exactly the name that is given is always among what is
    meant, so that no reading leaves it out. Raises :class:`SourceError` if no image matches, or one that no URL can name.
    """
    if not _WILD & set(pattern):
        return None
    name = parse(pattern, SourceError)
    images = _images(pattern, access, name.place)
    if not _WILD & set(name.image) or (name.snapshot is not None and name.image in images):
        return None
    if name.snapshot is not None:
        raise SourceError(f"{pattern} cannot be listed: there is no image {name.image}, and {_WHERE}")
    found = sorted({*fnmatch.filter(images, name.image), *({name.image} & set(images))})
    if not found:
        raise SourceError(f"{pattern} means no image that is there: {_nothing_in(name)}")
    return None if found == [name.image] else [_url(name.place, image) for image in found]


def _images(pattern: str, access: Access, place: Place) -> Sequence[str]:
    try:
        with (
            Connection(access, pattern, place, SourceError) as connection,
            translated(SourceError, f"list the images of {place.path}"),
        ):
            images: Sequence[str] = bindings.rbd().RBD().list(connection.ioctx)
            # librbd lists a namespace that is not there as one without images.
            lacking = "" if images else connection.lacking_namespace()
        if lacking:
            raise SourceError(f"{pattern} means no image that is there: {lacking}")
    except SourceError as error:
        if _WILD & set(place.path):
            raise SourceError(f"{error}; {_WHERE}", retryable=error.retryable) from error
        raise
    return images


def _nothing_in(name: Name) -> str:
    place = name.place
    if place.namespace:
        return (
            f"none in namespace {place.namespace} of pool {place.pool} matches {name.image}; see `rbd ls {place.path}`"
        )
    return (
        f"none in pool {place.pool} outside of its namespaces matches {name.image}; see `rbd ls {place.pool}`. For images in "
        f"a namespace write rbd://{place.pool}/NAMESPACE/{name.image}; see `rbd namespace ls {place.pool}`"
    )


def _url(place: Place, image: str) -> str:
    url = place.url(image)
    if "/" in image or "@" in image:
        # librbd takes such names from programs. In a URL both characters divide.
        raise SourceError(
            f"the name of image {image} in {place.path} holds / or @, so {url} would mean something else; rename it, or write "
            "a pattern that leaves it out"
        )
    return url
