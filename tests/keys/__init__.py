"""Keys: deriving and wrapping them, opening a store with them, and changing them."""
