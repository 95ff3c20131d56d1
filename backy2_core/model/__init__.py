"""Values only: frozen, slotted, no input or output. Import from the module that holds the idea."""
