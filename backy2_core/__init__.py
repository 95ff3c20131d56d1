"""Backs up block devices in deduplicated blocks; everything that touches the outside is a plugin."""

__version__ = "3.0.0.dev0"
