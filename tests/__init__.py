"""The tests of backy2."""
