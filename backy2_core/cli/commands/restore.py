"""Verb ``restore``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from backy2_core.cli.units import counted
from backy2_core.cli.verbs import RecordVerb
from backy2_core.errors import (
    ConfigError,
    DamageError,
    DataBackendError,
    JobLostError,
    KeyringError,
    MetaBackendError,
    NotFoundError,
    PluginError,
    RefusedError,
    TargetError,
    TransformError,
)


class Restore(RecordVerb):
    """Write a version to a file or a device.

    TARGET is a URL like that of a source. A file that is not there is made; one that is there
    (and so every device) is written to only with --force. Each block is checked before it is
    written. Damaged or missing blocks are named, all others restored, and the exit code is 20.
    """

    example = """
    backy2 restore latest:vm1 file:///var/tmp/vm1.img
    backy2 restore --force 1f4b9c file:///dev/vg0/vm1
    """
    exits = (
        ConfigError,
        PluginError,
        TargetError,
        DataBackendError,
        MetaBackendError,
        NotFoundError,
        RefusedError,
        JobLostError,
        TransformError,
        DamageError,
        KeyringError,
    )
    is_job = True
    columns = ("uid", "name", "target", "size_bytes", "restored_bytes", "damaged_blocks", "duration_s")
    record_type = "restore"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The original's."""
        parser.add_argument("-s", "--sparse", action="store_true", help="leave ranges of zeros unallocated")
        parser.add_argument("-f", "--force", action="store_true", help="write to a target that is there already")
        parser.add_argument("uid", metavar="UID", help="the version: its uid, the beginning of it, or latest:NAME")
        parser.add_argument("target", metavar="TARGET", help="URL of what to write to")

    def record(self, parsed_args: argparse.Namespace) -> Sequence[Any]:
        """Restore."""
        from backy2_core.engine.lookup import find_version
        from backy2_core.engine.requests import RestoreRequest
        from backy2_core.engine.restore import restore

        with self.installation() as installation:
            version = find_version(installation.meta, parsed_args.uid)
            request = RestoreRequest(version.uid, parsed_args.target, parsed_args.sparse, parsed_args.force)
            result = restore(installation.engine, request)
        if result.damaged_blocks:
            lost = counted(result.damaged_blocks, "block")
            self.failure = DamageError(f"Version {version.uid}: {lost} damaged or missing; all others were restored.")
        return (
            version.uid,
            version.name,
            parsed_args.target,
            version.geometry.size_bytes,
            result.restored_bytes,
            result.damaged_blocks,
            round(result.duration_s, 3),
        )
