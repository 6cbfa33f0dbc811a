"""Views of messages that need no scan: by tenant, hour and status, and by recipient and day.

Segments are written behind the logs by the owner, in groups; they say what was true of a message
when they were written. Readers take them as pointers: what is true now is the message's own state.
"""
