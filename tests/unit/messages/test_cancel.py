"""Asking for the end of a whole chain: all of it or nothing."""

from typing import Any, cast

import pytest

from core.contract.problems import ProblemError
from core.engine.chain import later_ids
from core.engine.logs import Logs, Ticket
from core.engine.payload import Payload, Step, encode_payload
from core.messages.cancel import cancel_all
from sync.records import Cancel, Message, Place

ID = "eu-u00102s00ab0123456789abcdef"
STEPS = (Step("email", "a@b.example", "GB"), Step("sms", "+447700900123", "GB"))
PAYLOAD = Payload("t", "ntf_1", "sms", "+447700900123", "GB", "alert", "local", "", steps=STEPS)
MESSAGE = Message(ID, 1, b"h", 1, True, False, 9, 1, encode_payload(PAYLOAD), 0, "delivered", 5)


class FakeLogs:
    """An accept log with so much room."""

    def __init__(self, room: int) -> None:
        self._room = room
        self.records: list[Any] = []

    def takes(self, ids: list[str], urgent: bool, globally: bool) -> bool:
        return len(ids) <= self._room - len(self.records)

    def accept(self, record: Any, urgent: bool, globally: bool, ticket: Ticket) -> bool:
        if len(self.records) >= self._room:
            return False
        self.records.append(record)
        ticket.told(Place("accept.eu.urgent_local.c1.0", 1, len(self.records) - 1))
        return True


async def ask(logs: FakeLogs) -> None:
    await cancel_all(cast("Logs", logs), MESSAGE, 7, "trace")


async def test_what_may_follow_is_cancelled_before_the_message() -> None:
    logs = FakeLogs(3)
    await ask(logs)
    ids = [*later_ids(ID, PAYLOAD), ID]
    assert len(set(ids)) == 3
    assert logs.records == [Cancel(each, 1, 7, b"trace") for each in ids]


@pytest.mark.parametrize("room", [0, 1, 2])
async def test_where_not_all_can_be_taken_down_none_is(room: int) -> None:
    logs = FakeLogs(room)
    with pytest.raises(ProblemError) as raised:
        await ask(logs)
    assert raised.value.code == "overloaded"
    assert logs.records == []
