"""Broken implementations, one for each promise of a contract: what the conformance suites must find."""
