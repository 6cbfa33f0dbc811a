"""Tenants: their API keys, and the vault that seals credentials at rest."""
