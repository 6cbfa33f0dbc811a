"""Sending again what has ended: one message by its id, or many, paced, as a job that survives."""
