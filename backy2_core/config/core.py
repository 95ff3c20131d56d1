"""The core's own settings: section ``[backy2]``."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backy2_core.config.places import default_log_file
from backy2_core.contracts.settings import Setting, SettingType
from backy2_core.model.block import DEFAULT_BLOCK_SIZE, MAX_BLOCK_SIZE, MIN_BLOCK_SIZE

MIB = 1024 * 1024
MOST_WORKERS = 512

CORE_SETTINGS = (
    Setting(
        "block_size",
        SettingType.INTEGER,
        DEFAULT_BLOCK_SIZE,
        "Size of a block in bytes, 512 to 64M. Versions of different block sizes live side by side, but share no blocks.",
        minimum=MIN_BLOCK_SIZE,
    ),
    Setting(
        "hash_function",
        SettingType.TEXT,
        "blake3",
        "Checksum by which equal blocks are found: blake3, or the name of a function of Python's hashlib.",
    ),
    Setting(
        "deduplication", SettingType.BOOLEAN, True, "Store equal blocks once. Without it every block read is written."
    ),
    Setting(
        "workers",
        SettingType.INTEGER,
        0,
        "Threads that read, hash and write. 0: as many as there are cores, at least 2.",
        minimum=0,
    ),
    Setting("buffer_size", SettingType.INTEGER, 48 * MIB, "Memory for blocks on their way, in bytes.", minimum=MIB),
    Setting(
        "flush_size",
        SettingType.INTEGER,
        256 * MIB,
        "Bytes that are stored before they are made durable and recorded together.",
        minimum=MIB,
    ),
    Setting(
        "sanity_check_blocks",
        SettingType.INTEGER,
        10,
        "Unhinted blocks that are compared with the base version, where a backup is made from hints or from snapshots.",
        minimum=0,
    ),
    Setting(
        "keep_snapshots",
        SettingType.INTEGER,
        1,
        "Snapshots of its own making that a backup leaves on the source: the newest ones of each name. 0: none, so that each "
        "backup reads everything.",
        minimum=0,
    ),
    Setting(
        "lease",
        SettingType.DURATION,
        300.0,
        "How long a job may be silent before it counts as dead and loses its claims.",
        minimum=1,
    ),
    Setting(
        "retry_limit",
        SettingType.DURATION,
        120.0,
        "How long a call to the store or the database is made again that failed for a passing reason, such as a server "
        "that is being restarted. Then the command fails; an interrupted backup can be continued.",
        minimum=0,
    ),
    Setting(
        "same_name",
        SettingType.TEXT,
        "wait",
        "What becomes of a backup while another one of the same name runs, on any host: wait lets it begin when that one "
        "ended, refuse ends it with exit code 17, side_by_side lets both run.",
        choices=("wait", "refuse", "side_by_side"),
    ),
    Setting(
        "abandon_incomplete_after",
        SettingType.DURATION,
        7 * 86400.0,
        "Age at which a cleanup gives up an interrupted backup that nobody continued.",
        minimum=0,
    ),
    Setting(
        "disallow_rm_when_younger_than_days",
        SettingType.NUMBER,
        0.0,
        "rm refuses versions that are younger, unless it is forced.",
        minimum=0,
    ),
    Setting(
        "metadata_copies",
        SettingType.BOOLEAN,
        True,
        "Keep a copy of each version's metadata in the store, from which `backy2 recover` makes a lost database again.",
    ),
    Setting(
        "logfile",
        SettingType.PATH,
        None,
        "File that the log is appended to. Without it /var/log/backy2.log for root, and for others (and wherever "
        "$XDG_STATE_HOME is set) backy2/backy2.log in $XDG_STATE_HOME or ~/.local/state.",
    ),
    Setting(
        "machine_output",
        SettingType.TEXT,
        "2.9",
        "Release of the original whose form `backy2 -m` has. From 2.10.2 on (2.13) lines have no column type, times no "
        "fraction, and ls ends with the column expire.",
        choices=("2.9", "2.13"),
    ),
    Setting(
        "host_name",
        SettingType.TEXT,
        None,
        "What this host is called in the list of jobs and where backups of one name take turns; without it, what the system "
        "calls it. For containers that get another name at each start.",
    ),
    Setting("process_name", SettingType.TEXT, "backy2", "What the title of the process begins with."),
    Setting(
        "disabled_plugins",
        SettingType.LIST,
        (),
        "Installed plugins that are not to be used, as GROUP:NAME (data_backends:s3), or NAME for all of that name. `backy2 "
        "plugins disable` and `enable` write it.",
    ),
    Setting("disabled_listeners", SettingType.LIST, (), "Installed listeners that are not to be told of events."),
    Setting(
        "required_listeners",
        SettingType.LIST,
        (),
        "Listeners without which no command runs; any other that is broken is only warned of.",
    ),
    Setting(
        "allow_clear",
        SettingType.BOOLEAN,
        False,
        "Store blocks as they are although the store is encrypted. Without it such a backup is refused.",
    ),
    Setting(
        "trust_clear_copies",
        SettingType.BOOLEAN,
        False,
        "Believe metadata copies that are not sealed although the store is encrypted, such as those of the time before. Nobody "
        "can tell whether they were changed.",
    ),
    Setting(
        "clear_base",
        SettingType.TEXT,
        "keep",
        "What becomes of blocks of the base version that are not encrypted under the key of this store, where new ones are: "
        "keep refers to them as they are, store_again reads everything and stores it encrypted.",
        choices=("keep", "store_again"),
    ),
    Setting(
        "transforms",
        SettingType.LIST,
        (),
        "Names of the transforms that a block goes through before it is stored, in this order.",
    ),
)


@dataclass(frozen=True, slots=True)
class CoreSettings:
    """The parsed section. Sizes in bytes, times in seconds; names are those of the engine's options."""

    block_size: int
    hash_function: str
    deduplication: bool
    workers: int
    buffer_bytes: int
    flush_bytes: int
    sanity_check_blocks: int
    keep_snapshots: int
    lease_s: float
    retry_limit_s: float
    same_name: str
    abandon_incomplete_s: float
    rm_min_age_days: float
    metadata_copies: bool
    logfile: str
    machine_output: str
    host: str
    process_name: str
    disabled_plugins: tuple[str, ...]
    disabled_listeners: tuple[str, ...]
    required_listeners: tuple[str, ...]
    allow_clear: bool
    trust_clear_copies: bool
    clear_base: str
    transforms: tuple[str, ...]


def core_settings(values: Mapping[str, Any]) -> CoreSettings:
    """Put the values of :data:`CORE_SETTINGS` into their class; raises :class:`ValueError` for a value too big."""
    if values["workers"] > MOST_WORKERS:
        raise ValueError(f"workers {values['workers']} are too many; the most are {MOST_WORKERS}")
    if values["block_size"] > MAX_BLOCK_SIZE:
        raise ValueError(f"block_size {values['block_size']} is too big; the most is {MAX_BLOCK_SIZE // MIB}M")
    return CoreSettings(
        block_size=values["block_size"],
        hash_function=values["hash_function"],
        deduplication=values["deduplication"],
        workers=values["workers"],
        buffer_bytes=values["buffer_size"],
        flush_bytes=values["flush_size"],
        sanity_check_blocks=values["sanity_check_blocks"],
        keep_snapshots=values["keep_snapshots"],
        lease_s=values["lease"],
        retry_limit_s=values["retry_limit"],
        same_name=values["same_name"],
        abandon_incomplete_s=values["abandon_incomplete_after"],
        rm_min_age_days=values["disallow_rm_when_younger_than_days"],
        metadata_copies=values["metadata_copies"],
        logfile=values["logfile"] or str(default_log_file()),
        machine_output=values["machine_output"],
        host=values["host_name"] or socket.gethostname(),
        process_name=values["process_name"],
        disabled_plugins=values["disabled_plugins"],
        disabled_listeners=values["disabled_listeners"],
        required_listeners=values["required_listeners"],
        allow_clear=values["allow_clear"],
        trust_clear_copies=values["trust_clear_copies"],
        clear_base=values["clear_base"],
        transforms=values["transforms"],
    )
