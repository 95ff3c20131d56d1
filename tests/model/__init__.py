"""Random sequences of everything a user does, compared byte for byte with a trivial model."""
