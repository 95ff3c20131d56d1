"""Output formatters: how rows and records are written."""
