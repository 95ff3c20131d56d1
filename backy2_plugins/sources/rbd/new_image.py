"""What a new image is to be like, and making it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from backy2_core.api import ConfigError, Setting, Settings, SettingType, TargetError
from backy2_plugins.sources.rbd import bindings
from backy2_plugins.sources.rbd.connection import Connection
from backy2_plugins.sources.rbd.failures import failure, translated
from backy2_plugins.sources.rbd.url import Name, Place

_SMALLEST, _LARGEST = 4096, 32 * 1024 * 1024
_PREFIX = "RBD_FEATURE_"
_FEATURES = ("layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten")

NEW_IMAGE_SETTINGS: Sequence[Setting] = (
    Setting(
        "new_image_features",
        SettingType.LIST,
        _FEATURES,
        "Features of images that a restore makes, as `rbd create` calls them, or as the original did (RBD_FEATURE_LAYERING).",
    ),
    Setting(
        "new_image_object_size",
        SettingType.INTEGER,
        4 * 1024 * 1024,
        "Size of the objects of images that a restore makes: a power of 2 from 4k to 32M.",
        minimum=_SMALLEST,
    ),
    Setting("new_image_data_pool", SettingType.TEXT, None, "Pool for the data of images that a restore makes."),
)


@dataclass(frozen=True, slots=True)
class NewImage:
    """Features, size of objects and pool of the data of an image that a restore makes."""

    features: tuple[str, ...] = _FEATURES
    object_size: int = 4 * 1024 * 1024
    data_pool: str | None = None

    @classmethod
    def by(cls, settings: Settings) -> Self:
        """From the parsed settings; raises :class:`ConfigError`."""
        size = settings["new_image_object_size"]
        if not _SMALLEST <= size <= _LARGEST or size & (size - 1):
            raise ConfigError(
                f"[source:rbd] new_image_object_size = {size} cannot be: expected a power of 2, {_SMALLEST} to {_LARGEST}"
            )
        return cls(settings["new_image_features"], size, settings["new_image_data_pool"])

    def make(self, connection: Connection, name: Name, size_bytes: int) -> bool:
        """Make it; False if an image of that name is there already."""
        rbd = bindings.rbd()
        options = {} if self.data_pool is None else {"data_pool": self.data_pool}
        action = f"create {name.place.url(name.image)}"
        with translated(
            TargetError, action, {errno.EINVAL: "check new_image_features in [source:rbd]: some need others"}
        ):
            try:
                rbd.RBD().create(
                    connection.ioctx,
                    name.image,
                    size_bytes,
                    order=self.object_size.bit_length() - 1,
                    old_format=False,
                    features=self._bits(),
                    **options,
                )
            except rbd.ImageExists:
                return False
            except rbd.ImageNotFound as error:
                missing = self._what_is_missing(connection, name.place)
                raise failure(TargetError, action, errno.ENOENT, {errno.ENOENT: missing}) from error
        return True

    def _what_is_missing(self, connection: Connection, place: Place) -> str:
        if lacking := connection.lacking_namespace():
            return f"{lacking}, or make it with `rbd namespace create {place.path}`"
        if self.data_pool is not None and not connection.cluster.pool_exists(self.data_pool):
            return f"there is no pool {self.data_pool}, which is new_image_data_pool in [source:rbd]; see `ceph osd pool ls`"
        return f"see `rbd pool stats {place.pool}`, and whether it was made ready with `rbd pool init`"

    def _bits(self) -> int:
        """The features as the library wants them."""
        rbd, bits = bindings.rbd(), 0
        for feature in self.features:
            name = _PREFIX + feature.upper().replace("-", "_").removeprefix(_PREFIX)
            if not hasattr(rbd, name):
                known = ", ".join(_FEATURES)
                raise ConfigError(
                    f"[source:rbd] new_image_features: {feature} is no feature of images; known are {known}"
                )
            bits |= getattr(rbd, name)
        return bits
