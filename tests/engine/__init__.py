"""Jobs of the engine on a real database and a real folder."""
