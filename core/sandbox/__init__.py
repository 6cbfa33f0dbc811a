"""The sandbox: an SMSC and a mail server that behave as badly as told, and remember everything."""
