"""Which errors no repeat can mend, also where the driver hides them while it connects."""

import pytest
from cassandra import AuthenticationFailed, InvalidRequest, OperationTimedOut
from cassandra.cluster import NoHostAvailable

from sync.store.cassandra.errors import hopeless

LOGIN, SLOW = AuthenticationFailed("bad credentials"), OperationTimedOut()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (LOGIN, True),
        (InvalidRequest("no such table"), True),
        (SLOW, False),
        (ConnectionRefusedError(), False),
        (None, False),
        (NoHostAvailable("all refuse", {"a": LOGIN, "b": LOGIN}), True),
        (NoHostAvailable("one may come", {"a": LOGIN, "b": SLOW}), False),
        (NoHostAvailable("none was asked", {}), False),
    ],
)
def test_what_no_repeat_can_mend(error: BaseException | None, expected: bool) -> None:
    assert hopeless(error) is expected
