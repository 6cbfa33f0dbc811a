"""Suppressions: who is not sent to, kept by contact point and class."""
