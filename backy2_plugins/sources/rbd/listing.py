"""What a pattern in the place of an image's name means."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Sequence

from backy2_core.api import SourceError
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.access import Access
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.failures import translated
from backy2_plugins.sources.rbd.url import Name, Place, parse

log = logging.getLogger(__name__)

_WILD = frozenset("*?[")
_WHERE = "a pattern may stand in the place of the image only, as in rbd://POOL/* or rbd://POOL/NAMESPACE/vm-*"


def matching(pattern: str, access: Access) -> Sequence[str] | None:
    """The URLs of the images of one pool and namespace whose names match, sorted; None if it names one image.

    It names one if an image of exactly that name is there: names of images may hold any of the characters of a pattern.
    Raises :class:`SourceError` if no image matches, or one that no URL can name.
    """
    if not _WILD & set(pattern):
        return None
    name = parse(pattern, SourceError)
    images = _images(pattern, access, name.place)
    if name.image in images or not _WILD & set(name.image):
        _tell_of_others(pattern, name, images)
        return None
    if name.snapshot is not None:
        raise SourceError(f"{pattern} cannot be listed: there is no image {name.image}, and {_WHERE}")
    found = fnmatch.filter(sorted(images), name.image)
    if not found:
        raise SourceError(f"{pattern} means no image that is there: {_nothing_in(name)}")
    return [_url(name.place, image) for image in found]


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


def _tell_of_others(pattern: str, name: Name, images: Sequence[str]) -> None:
    others = [image for image in fnmatch.filter(images, name.image) if image != name.image]
    if others and name.snapshot is None:
        log.warning(
            "%s is taken for the image of exactly that name alone; as a pattern it would also mean %s (%d in all). If these "
            "are meant, spell the pattern so that no image has it for a name, such as ** for *",
            pattern,
            min(others),
            len(others),
        )


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
