"""Providers: what an adapter is (`port`), which wires there are (`registry`), and the wires."""
