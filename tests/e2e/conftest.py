"""One region for all tests that only call its doors and leave it as they found it."""

from collections.abc import Iterator

import pytest

from tests.support.region import Region, running

# Short times for callers that are slow on purpose, so that the tests need not wait long for them.
SHORT_TIMES = {
    "GOUTONG_EDGE_HEADER_TIMEOUT_MS": "1000",
    "GOUTONG_EDGE_BODY_TIMEOUT_MS": "1000",
}


@pytest.fixture(scope="session")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A running region with its sandbox, shared by the session."""
    with running(tmp_path_factory.mktemp("region") / "data", env=SHORT_TIMES) as started:
        # What one account refuses, another one would take: here each channel has one.
        started.switch("sandbox-sms-http", False)
        yield started
