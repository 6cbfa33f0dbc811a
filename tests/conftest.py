"""What all tests share: programs that some need, and CI's rule that a skipped test has failed."""

import os
import shutil
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest

from tests.support.cassandra import cassandra, mark_cassandra

__all__ = ["cassandra"]  # a fixture for every test

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_IN_CI = os.environ.get("CI", "").lower() == "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need Cassandra are known before one is left out or run."""
    mark_cassandra(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose program is not installed, and say how to install it."""
    for mark in item.iter_markers("needs"):
        for program in mark.args:
            if shutil.which(program) is None and shutil.which(f"/usr/sbin/{program}") is None:
                pytest.skip(f"needs {program}: run `make system-deps` as root (Debian)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything that tests need is installed: what skips there would be believed tested."""
    report = yield
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {_reason(report.longrepr)}"
    return report


def _reason(longrepr: Any) -> str:
    return str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
