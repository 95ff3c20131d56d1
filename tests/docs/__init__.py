"""What the documentation says is so: its commands run, its tables are those of the code, its links lead somewhere."""
