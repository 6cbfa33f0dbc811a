"""The command `goutong`: one module a group of subcommands, each loaded only when it is used.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the region is not reachable.
"""
