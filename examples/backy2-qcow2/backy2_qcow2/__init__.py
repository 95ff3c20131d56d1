"""Source and target ``qcow2``: ``qcow2://PATH`` for an image, ``qcow2://PATH@SNAPSHOT`` for a snapshot within one."""

from __future__ import annotations

from collections.abc import Sequence

from backy2_core.api import Setting, Settings, SettingType, Source, Target, TargetRequest, hookimpl
from backy2_qcow2.source import Qcow2Source
from backy2_qcow2.target import Qcow2Target

backy2_api_version = 1

__all__ = [
    "Qcow2Source",
    "Qcow2Target",
    "backy2_api_version",
    "backy2_open_source",
    "backy2_open_target",
    "backy2_settings",
]

_CHECK_HELP = (
    "Whether `qemu-img check` looks at an image before it is backed up: QEMU reads what a damaged one lost as zeros."
)
_CREATE_HELP = "Options of new images, as `qemu-img create -o` takes them, such as cluster_size=2M, lazy_refcounts=on."


@hookimpl
def backy2_settings() -> Sequence[Setting]:
    """The settings of this source."""
    integer = SettingType.INTEGER
    return (
        Setting("simultaneous_reads", integer, 4, "Blocks to read at once.", minimum=1),
        Setting("simultaneous_writes", integer, 4, "Blocks to write at once in a restore.", minimum=1),
        Setting("timeout", SettingType.DURATION, 120.0, "Longest wait for an answer of qemu-nbd.", minimum=1),
        Setting("check", SettingType.BOOLEAN, True, _CHECK_HELP),
        Setting("create_options", SettingType.LIST, (), _CREATE_HELP),
    )


@hookimpl
def backy2_open_source(url: str, settings: Settings) -> Source:
    """Open an image or a snapshot for reading."""
    return Qcow2Source(
        url, threads=settings["simultaneous_reads"], timeout_s=settings["timeout"], thorough=settings["check"]
    )


@hookimpl
def backy2_open_target(url: str, settings: Settings, request: TargetRequest) -> Target:
    """Make an image, or open one that is there, for a restore."""
    return Qcow2Target(
        url,
        request,
        threads=settings["simultaneous_writes"],
        timeout_s=settings["timeout"],
        create_options=settings["create_options"],
    )
