"""Rules of the core: pure functions from facts to decisions, with their explanation."""
