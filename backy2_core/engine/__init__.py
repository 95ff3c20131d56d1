"""The main jobs: plan, read, store, record; and back again."""
