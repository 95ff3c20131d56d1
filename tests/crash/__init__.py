"""Real processes: killed, paused, starved of space, and side by side."""
