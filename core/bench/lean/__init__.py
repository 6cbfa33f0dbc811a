"""The lean process: load generator, SMSC, SMTP sink and callback sink of all sides in one.

It is the same program for our system and for every peer, it builds its bytes in advance, and it
reports what CPU it took itself, so that a figure is never the harness's own.
"""
