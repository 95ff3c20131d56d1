"""Tamper evidence: what restore, scrub and check say of every manipulation of an encrypted store and its database."""
