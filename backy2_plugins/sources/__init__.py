"""Sources and targets: what is backed up, and what a restore writes to."""
