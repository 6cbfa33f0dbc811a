"""Routing policies: checked and stored as data, made ready for decisions in each process."""
