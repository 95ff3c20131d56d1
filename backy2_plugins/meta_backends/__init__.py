"""Meta backends: where versions, block maps, blob records and jobs are."""
