"""Packaging: what is installed, what it needs, and which plugin it brings."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="backy2-fsspec",
    version="0.1.0",
    description="Data backend of backy2 for SFTP, WebDAV, object stores and all else that fsspec opens",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["backy2_fsspec", "backy2_fsspec.*"]),
    package_data={"backy2_fsspec": ["py.typed"]},
    zip_safe=False,
    install_requires=["backy2", "fsspec>=2026.9"],
    extras_require={"sftp": ["paramiko>=3.4"], "test": ["paramiko>=3.4", "pytest>=8"]},
    entry_points={"backy2.data_backends": ["fsspec = backy2_fsspec"]},
)
