"""Reading the configuration. Import from the module that holds the idea."""
