"""Reversible changes of a blob's bytes."""
