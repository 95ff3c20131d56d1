"""The command line: one module a verb in ``commands``; the only floor that prints."""
