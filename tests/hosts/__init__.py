"""Many hosts on one database and one store, side by side: real processes, real servers."""
