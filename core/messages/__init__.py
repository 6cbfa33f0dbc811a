"""Showing messages: from the owner's memory or from the store, by the same join."""
