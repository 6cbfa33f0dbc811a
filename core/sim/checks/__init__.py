"""The checkers of a run (PROTOCOL.md 13). Each raises `ViolationError` with its own name.

Some look at each write as it stands, some at each first byte, the rest at the end, when faults are
over and everything had time to end. They read what clients were told, what providers received and
what the store holds; never what a core believes.
"""
