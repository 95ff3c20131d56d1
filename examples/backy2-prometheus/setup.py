"""Packaging: what is installed, what it needs, and which plugin it brings."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="backy2-prometheus",
    version="0.1.0",
    description="Listener of backy2 that tells Prometheus of backups, by a text file or through a push gateway",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["backy2_prometheus", "backy2_prometheus.*"]),
    package_data={"backy2_prometheus": ["py.typed"]},
    zip_safe=False,
    install_requires=["backy2", "prometheus_client>=0.20"],
    extras_require={"test": ["pytest>=8", "PyYAML"]},
    entry_points={"backy2.listeners": ["prometheus = backy2_prometheus"]},
)
