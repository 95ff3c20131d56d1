"""The verbs, one a module. A module imports next to nothing at its top, since ``backy2 --help`` loads them all."""
