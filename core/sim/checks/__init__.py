"""Checkers: what a run's histories must satisfy, not what the protocol thinks of itself."""
