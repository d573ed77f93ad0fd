"""`make bench`: how fast the switch works and what it costs. docs/benchmarks.md explains the figures."""
