"""The owner of shards: what it reads, decides, writes down and may call (PROTOCOL.md 3 to 7).

`Owner` is one machine for all shards of one home that this process owns. Its methods are the
events; each returns nothing and leaves commands in `out`, which the shell drains and carries out.
It has no socket, clock or randomness: times come in with the events.
"""
