"""A refusal as the API promises it, checked as a whole."""

from typing import Any

from tests.support.region import Told


def refused(told: Told, status: int, code: str) -> dict[str, Any]:
    """The problem, after the checks that hold for each of them."""
    assert (told.status, told.headers["content-type"]) == (status, "application/problem+json"), (
        told.body
    )
    said: dict[str, Any] = told.json()
    assert said["code"] == code, said
    assert said["status"] == status
    assert said["type"].endswith(f"/{code}")
    assert said["title"]
    assert said["detail"]
    assert said["trace_id"] == told.headers["x-trace-id"]
    for error in said.get("errors", ()):
        assert error["hint"]
        assert error["detail"]
    return said
