"""Judging and predicting: pure functions and models, no I/O but loading and saving.

The platform runs without any model; what is here sharpens a choice that the rules allow.
"""
