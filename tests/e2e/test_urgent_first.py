"""One-time passwords overtake twenty thousand bulk messages that wait for the same account."""

from collections.abc import Iterator
from typing import Any

import pytest

from core import audit
from tests.support.region import Region, running

pytestmark = pytest.mark.slow
SMSC = "sandbox-smsc"
BULK, OTPS, PER_SECOND = 20_000, 20, 200


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """A region whose one account for text messages takes only so many a second."""
    with running(tmp_path_factory.mktemp("urgent") / "data") as started:
        started.switch("sandbox-sms-http", False)
        path = f"/v1/providers/{SMSC}"
        known = started.call("GET", path, key=started.admin_key).json()
        kept = {name: known[name] for name in ("wire", "channel", "priority", "settings")}
        body = {**kept, "limits": {"per_second": PER_SECOND}}
        told = started.call("PUT", path, body, key=started.admin_key)
        assert told.status == 200, told.body
        yield started


def bulk(region: Region, first: int, count: int) -> None:
    to = [{"phone": f"+4477{number:08d}"} for number in range(first, first + count)]
    told = region.notify({"to": to, "content": {"text": "Sale!"}, "class": "bulk"})
    assert told.status == 202, told.body[:500]


def test_an_otp_does_not_wait_behind_bulk(region: Region) -> None:
    bulk(region, 0, BULK // 2)
    bulk(region, BULK // 2, BULK // 2)
    ids = []
    for number in range(OTPS):
        ids.append(region.sms(f"+4478000000{number:02}", "your code", **{"class": "otp"}))
        region.ended(ids[-1], "sent", "delivered")
    history = [entry for entry in region.history() if entry["effective"]]
    assert audit.run(region.data)["open"] > BULK / 2
    for message_id in ids:
        assert len([entry for entry in history if ref(entry) == message_id]) == 1
    # The account takes bulk all the while: what is urgent goes before it, not instead of it.
    between = [entry for entry in history if entry["text"] == "Sale!"]
    assert 0 < len(between) < BULK / 2


def ref(entry: dict[str, Any]) -> str:
    return str(entry["ref"]).partition(".")[0]
