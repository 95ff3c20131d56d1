"""Puts configuration, plugins, wrappers and engine together; the only place that knows all of them."""

from backy2_core.assembly.installation import Installation, open_installation

__all__ = ["Installation", "open_installation"]
