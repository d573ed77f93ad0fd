"""Probes: whether the school works. Each guards itself by time limits and undoes all it does."""
