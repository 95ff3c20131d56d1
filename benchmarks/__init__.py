"""How fast and how big: each job beside a bare loop that does the same work and nothing else. See docs/benchmarks.md."""
