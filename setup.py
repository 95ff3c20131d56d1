"""Packaging: what is installed, what it needs, and which plugins it brings."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

REQUIRED = [
    "SQLAlchemy>=2.0.20",
    "alembic>=1.12",
    "blake3>=0.4",
    "cliff>=4.13.3",
    "cryptography>=47",
    "pluggy>=1.5",
    "prettytable>=3.9",
    "setproctitle>=1.3",
    "stevedore>=5.6",
    "zstandard>=0.22",
]
S3 = ["boto3>=1.37"]
POSTGRESQL = ["psycopg[binary]>=3.1"]
MYSQL = ["PyMySQL>=1.1"]
EXAMPLES = ["fsspec>=2026.9", "paramiko>=3.4", "prometheus_client>=0.20"]
TEST = [
    "hypothesis>=6.90",
    "import-linter>=2.1",
    "mypy>=1.11",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.5",
    "ruff>=0.6",
    "setuptools>=70.1",
    "types-PyYAML",
    "moto[server]>=5",
    *EXAMPLES,
    *S3,
    *POSTGRESQL,
    *MYSQL,
]

# By verb, with "_" for a blank; a verb's module is called like the verb, with "_" for "-" too.
COMMANDS = {
    "add-tag": "AddTag",
    "adopt": "Adopt",
    "backup": "Backup",
    "check": "Check",
    "cleanup": "Cleanup",
    "diff-meta": "DiffMeta",
    "du": "Du",
    "due": "Due",
    "expire": "Expire",
    "export": "Export",
    "import": "Import",
    "initdb": "Initdb",
    "jobs": "Jobs",
    "key_add": "KeyAdd",
    "key_check": "KeyCheck",
    "key_list": "KeyList",
    "key_new": "KeyNew",
    "key_remove": "KeyRemove",
    "ls": "Ls",
    "plugins_check": "PluginsCheck",
    "plugins_disable": "PluginsDisable",
    "plugins_enable": "PluginsEnable",
    "move-metadata": "MoveMetadata",
    "plugins_list": "PluginsList",
    "plugins_new": "PluginsNew",
    "plugins_show": "PluginsShow",
    "protect": "Protect",
    "recover": "Recover",
    "rekey": "Rekey",
    "remove-tag": "RemoveTag",
    "restore": "Restore",
    "rm": "Rm",
    "scrub": "Scrub",
    "sla": "Sla",
    "stats": "Stats",
    "unprotect": "Unprotect",
}
FORMATTERS = ("csv", "json", "machine", "table", "value", "yaml")


def version() -> str:
    """The version that the package states, read without importing it."""
    text = (HERE / "backy2_core" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    assert found is not None, "backy2_core/__init__.py states no __version__"
    return found[1]


def command_module(verb: str) -> str:
    """The module of a verb: ``add_tag`` for ``add-tag``, ``import_`` for ``import``, which is a word of Python."""
    return verb.replace("-", "_") + ("_" if keyword.iskeyword(verb) else "")


def long_description() -> str:
    """The README, where it is there."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="backy2",
    version=version(),
    description="Backs up block devices in deduplicated blocks; everything that touches the outside is a plugin",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["backy2_core", "backy2_core.*", "backy2_plugins", "backy2_plugins.*"]),
    package_data={"backy2_core": ["py.typed", "cli/skeletons/**/*.in"], "backy2_plugins": ["py.typed"]},
    zip_safe=False,
    install_requires=REQUIRED,
    extras_require={
        "s3": S3,
        "postgresql": POSTGRESQL,
        "mysql": MYSQL,
        "all": S3 + POSTGRESQL + MYSQL,
        "test": TEST,
    },
    entry_points={
        "console_scripts": ["backy2 = backy2_core.cli.main:main"],
        "backy2.sources": [
            "file = backy2_plugins.sources.file",
            "null = backy2_plugins.sources.null",
            "rbd = backy2_plugins.sources.rbd",
        ],
        "backy2.data_backends": [
            "file = backy2_plugins.data_backends.file",
            "null = backy2_plugins.data_backends.null",
            "rados = backy2_plugins.data_backends.rados",
            "s3 = backy2_plugins.data_backends.s3",
        ],
        "backy2.meta_backends": ["sql = backy2_plugins.meta_backends.sql"],
        "backy2.transforms": [
            f"{name} = backy2_plugins.transforms.{name}" for name in ("aes_gcm", "backy2_v1", "zstd")
        ],
        "backy2.formatters": [f"{name} = backy2_plugins.formatters.{name}" for name in FORMATTERS],
        "backy2.commands": [
            f"{verb} = backy2_core.cli.commands.{command_module(verb)}:{name}" for verb, name in COMMANDS.items()
        ],
    },
)
