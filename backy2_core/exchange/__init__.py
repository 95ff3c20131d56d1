"""Versions that come and go: dumps, adoption, recovery. Import from the module that holds the idea."""
