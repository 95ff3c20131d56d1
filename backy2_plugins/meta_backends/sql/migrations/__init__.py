"""The steps by which alembic makes and changes the tables."""
