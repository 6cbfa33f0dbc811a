"""Regions agreeing with each other: logs, leases, owners, merging.

Nothing in here knows of channels, providers or templates: a record is bytes beside a few facts.
The protocol parts are machines without sockets, clocks or randomness of their own; `sync.store`
holds the ports to what is durable, and their implementations.
"""
