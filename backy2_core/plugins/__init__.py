"""Finding, loading and checking plugins. Import from the module that holds the idea."""
