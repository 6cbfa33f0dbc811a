"""The shell around the protocol's machines: it carries their commands out and brings events back.

Sockets, clocks and randomness are here; what is decided is decided in `sync` and `core.decide`.
"""
