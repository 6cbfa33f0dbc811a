"""The acceptor from a call to its answer, with logs that stand at once."""

import asyncio
import io
import json
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from core.accept.acceptor import Acceptor, Bounds
from core.accept.keys import Keys
from core.accept.limits import Limits, RateLimits
from core.accept.shedding import Shedding, refused_at
from core.clock import SystemClock
from core.contract.frames import AcceptCall, AcceptReply
from core.contract.ids import mint_unkeyed
from core.contract.log import Log
from core.contract.problems import ProblemError
from core.contract.rules import Rules
from core.contract.sections.core import LimitsSettings
from core.decide.gcra import Rate
from core.engine.logs import Ticket
from core.engine.payload import decode_payload
from core.templates.render import TemplateNotLoaded
from core.templates.rendered import Rendered
from sync.hlc import Hlc
from sync.records import Message, Place

EXPIRES_S = {"otp": 300, "alert": 3600, "transactional": 86_400, "bulk": 259_200}
PHONE = {"phone": "+447700900123"}
TEXT = {"text": "x", "subject": "y"}


class Store:
    """Remembers no key: nothing is older than the acceptor itself."""

    async def key(self, tenant: str, key: str) -> bytes | None:
        return None


class StandingLogs:
    """Logs whose rows stand at once."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.room_left = 100_000
        self.homes = {"local"}

    def has_home(self, message_id: str) -> bool:
        return message_id.partition("-")[0] in self.homes

    def takes(self, ids: list[str], urgent: bool, globally: bool) -> bool:
        return len(ids) <= self.room_left and all(map(self.has_home, ids))

    def accept(self, message: Message, urgent: bool, globally: bool, ticket: Ticket) -> bool:
        self.messages.append(message)
        row = len(self.messages)
        ticket.stands(Place("accept", row, 0))
        ticket.key_answered("ok")
        return True


class Renders:
    """Templates with a text for sms, each channel of which has to be read first."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()

    def render(self, tenant: str, name: str, locale: Any, channel: str, data: Any) -> Rendered:
        if channel not in self.loaded:
            raise TemplateNotLoaded(tenant, name, channel, locale)
        if channel != "sms":
            raise ProblemError(400, "template_failed", "", f"no body for {channel}")
        return Rendered(name, 1, "en", f"text of {name}")

    async def load(self, need: TemplateNotLoaded) -> None:
        self.loaded.add(need.channel)


class Desk:
    """An acceptor with everything beside it."""

    def __init__(self, **limits: Any) -> None:
        self.logs = StandingLogs()
        self.load = 0.0
        self.refused: list[str] = []
        self.tasks: list[asyncio.Future[Any]] = []
        self.acceptor = Acceptor(
            self.logs,  # type: ignore[arg-type]
            Keys(Store(), 100),  # type: ignore[arg-type]
            Renders(),  # type: ignore[arg-type]
            "local",
            Bounds(Rules(10_000, 30 * 86_400, EXPIRES_S), 32, 100, 5.0, 300),
            Limits(RateLimits(recipients_max=100, **limits)),
            Shedding(refused_at(LimitsSettings()), 100, lambda: self.load),
            SystemClock(),
            Hlc(),
            Log(io.BytesIO(), "error"),
            lambda: None,
            self._spawn,
        )
        self.acceptor.on_refused = self.refused.append

    def _spawn(self, work: Awaitable[None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def ask(
        self,
        body: dict[str, Any],
        count: int = 1,
        key: str | None = None,
        repeat: bool = False,
        map_version: int = 0,
    ) -> AcceptReply:
        ids = [mint_unkeyed("local", 1, 1, bytes([number]) * 16) for number in range(count)]
        data = json.dumps(body).encode()
        countries = ["GB"] * count
        call = AcceptCall(
            9, "acme", key, "ntf_1", ids, countries, "trace", data, [], repeat, map_version
        )
        replies: list[AcceptReply] = []
        self.acceptor.handle(call, replies.append)
        while self.tasks:
            await self.tasks.pop()
        (reply,) = replies
        return reply


def told(reply: AcceptReply) -> dict[str, Any]:
    return dict(json.loads(reply.body))


async def test_what_is_to_be_sent_later_is_scheduled() -> None:
    desk = Desk()
    now = await desk.ask({"to": PHONE, "content": TEXT, "send_at": "2001-01-01T00:00:00Z"})
    assert told(now)["messages"][0]["status"] == "accepted"
    times = {"send_at": "2999-01-01T00:00:00", "time_zone": "Europe/Berlin"}
    far = await desk.ask({"to": PHONE, "content": TEXT, **times})
    assert (far.status, told(far)["errors"][0]["pointer"]) == (400, "/send_at")
    soon = datetime.fromtimestamp(SystemClock().wall_ms() / 1000 + 60, UTC).isoformat()
    later = await desk.ask({"to": PHONE, "content": TEXT, "send_at": soon})
    assert told(later)["messages"][0]["status"] == "scheduled"


@pytest.mark.parametrize("key", [None, "k"])
async def test_some_wrong_recipients_and_the_same_answer_again(key: str | None) -> None:
    desk = Desk()
    body = {"to": [PHONE, {"phone": "1"}, {"email": "a@b.com"}], "content": TEXT}
    first = await desk.ask(body, 2, key)
    assert first.status == 202
    statuses = [each["status"] for each in told(first)["messages"]]
    assert statuses == ["accepted", "rejected", "accepted"]
    assert set(told(first)["messages"][1]) == {"status", "index", "code", "errors"}
    assert len(desk.logs.messages) == 2
    if key:
        again = await desk.ask(body, 2, key)
        assert again.body == first.body
        assert len(desk.logs.messages) == 2


async def test_a_chain_is_rendered_whole_or_refused() -> None:
    desk = Desk()
    both = {**PHONE, "email": "a@b.com"}
    asked = {"to": both, "channel": ["sms", "email"], "template": "otp"}
    refused = await desk.ask(asked)
    assert (refused.status, told(refused)["code"]) == (400, "template_failed")
    assert not desk.logs.messages
    assert (await desk.ask({**asked, "to": PHONE})).status == 202
    ready = {"to": both, "channel": ["sms", "email"], "content": TEXT}
    assert (await desk.ask(ready)).status == 202
    steps = decode_payload(desk.logs.messages[-1].payload).steps
    assert [(step.channel, step.text, step.subject) for step in steps] == [("email", "x", "y")]


async def test_a_tenant_over_its_rate_waits_and_replays_cost_nothing() -> None:
    desk = Desk(tenant=Rate(0.1, 3))
    body = {"to": [PHONE] * 2, "content": TEXT}
    first = await desk.ask(body, 2, "k")
    for _ in range(5):
        assert (await desk.ask(body, 2, "k")).body == first.body
    limited = await desk.ask(body, 2, "other")
    assert (limited.status, told(limited)["code"]) == (429, "rate_limited")
    assert told(limited)["retry_after"] == int(limited.headers["Retry-After"])
    assert desk.refused == ["rate_limited"]
    assert (await desk.ask(body, 2, "again", repeat=True)).status == 202
    # The key of what was refused is free.
    assert (await desk.ask({"to": PHONE, "content": TEXT}, 1, "other")).status == 202


async def test_templates_that_have_to_be_read_first_count_once() -> None:
    desk = Desk(tenant=Rate(0.001, 1), recipient=Rate(0.001, 1))
    reply = await desk.ask({"to": PHONE, "template": "otp"})
    assert reply.status == 202
    assert (await desk.ask({"to": PHONE, "template": "otp"})).status == 429


async def test_under_pressure_bulk_is_refused_and_otp_goes_on() -> None:
    desk = Desk()
    desk.load = 0.85
    for name, status in (("bulk", 503), ("transactional", 202), ("otp", 202)):
        reply = await desk.ask({"to": PHONE, "content": TEXT, "class": name})
        assert reply.status == status
    assert desk.refused == ["overloaded"]
    assert len(desk.logs.messages) == 2


async def test_a_log_that_is_behind_refuses_the_whole() -> None:
    desk = Desk()
    desk.logs.room_left = 1
    reply = await desk.ask({"to": [PHONE] * 2, "content": TEXT}, 2, "k")
    assert (reply.status, told(reply)["code"]) == (503, "overloaded")
    desk.logs.room_left = 2
    assert (await desk.ask({"to": [PHONE] * 2, "content": TEXT}, 2, "k")).status == 202


async def test_what_an_older_map_minted_is_refused_before_anything_is_written() -> None:
    desk = Desk()
    desk.acceptor.map_version = 3
    refused = await desk.ask({"to": PHONE, "content": TEXT}, key="k", map_version=2)
    assert (refused.status, told(refused)["code"]) == (421, "map_outdated")
    assert not desk.logs.messages
    again = await desk.ask({"to": PHONE, "content": TEXT}, key="k", map_version=3)
    assert again.status == 202, "the key is not taken by what was refused"


@pytest.mark.parametrize(
    ("map_version", "repeat"),
    [
        pytest.param(2, True, id="a core may have had it: it keeps its ids"),
        pytest.param(4, False, id="who owns knows the newer map"),
        pytest.param(0, False, id="of an edge that knows no map"),
    ],
)
async def test_what_is_taken_whatever_map_serves_here(map_version: int, repeat: bool) -> None:
    desk = Desk()
    desk.acceptor.map_version = 3
    body = {"to": PHONE, "content": TEXT}
    assert (await desk.ask(body, repeat=repeat, map_version=map_version)).status == 202


async def test_a_home_that_is_not_journaled_here_is_named() -> None:
    desk = Desk()
    desk.logs.homes = {"other"}
    refused = await desk.ask({"to": PHONE, "content": TEXT}, key="k")
    assert (refused.status, told(refused)["code"]) == (503, "home_elsewhere")
    assert "local" in told(refused)["detail"]
    assert not desk.logs.messages
