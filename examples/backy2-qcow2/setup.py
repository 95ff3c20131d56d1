"""Packaging: what is installed, what it needs, and which plugin it brings."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="backy2-qcow2",
    version="0.1.0",
    description="Source and target of backy2 for qcow2 images and the snapshots within them",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["backy2_qcow2", "backy2_qcow2.*"]),
    package_data={"backy2_qcow2": ["py.typed"]},
    zip_safe=False,
    install_requires=["backy2"],
    extras_require={"test": ["pytest>=8"]},
    entry_points={"backy2.sources": ["qcow2 = backy2_qcow2"]},
)
