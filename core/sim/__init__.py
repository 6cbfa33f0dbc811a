"""Regions in one process with virtual time: the production code on a simulated world."""
