"""Provider accounts: stored with sealed credentials, checked, opened for the engine."""
