"""The plugins that come with backy2: each is found by its entry point, like a stranger's."""
