"""What each error of the driver says about a request.

Nothing here says that a write was *not* carried out, though some errors do (an overloaded or
unavailable coordinator): whoever submitted repeats either way, and a request that the driver gave
up may have been sent before to another node. Cassandra never tells that a disk is full: its nodes
fail writes or stop, so `full` is not answered.

Errors that no repeat can mend are ours or the operator's, and raised as they are: a wrong
statement, a table or a right that is missing.
"""

from cassandra import (
    AuthenticationFailed,
    InvalidRequest,
    Unauthorized,
)
from cassandra.protocol import ConfigurationException, SyntaxException

HOPELESS = (
    InvalidRequest,
    Unauthorized,
    AuthenticationFailed,
    SyntaxException,
    ConfigurationException,
    TypeError,
    ValueError,
)


def said(error: BaseException) -> str:
    """One line for people: the kind of error and the driver's words."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
