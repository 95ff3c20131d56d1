"""What each role must do: hook specs for finding it, one abstract base class for using it."""
