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
from cassandra.cluster import NoHostAvailable
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


def hopeless(error: BaseException | None) -> bool:
    """Whether no repeat can mend it. While connecting the driver tells each node's error in one of
    its own; where every node refuses for good, that is hopeless, too."""
    if isinstance(error, NoHostAvailable):
        each = error.errors.values() if isinstance(error.errors, dict) else ()
        return bool(each) and all(map(hopeless, each))
    return isinstance(error, HOPELESS)


def said(error: BaseException) -> str:
    """One line for people: the kind of error and the driver's words."""
    return f"{type(error).__name__}: {error}".replace("\n", " ")[:400]
