"""Data backends: where blobs are."""
