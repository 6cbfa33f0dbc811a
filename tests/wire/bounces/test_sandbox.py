"""The whole way round: GouTong's adapter, the sandbox's mail server with each habit, the listener.

What the sandbox sent is signed as well: an implementation that is not ours verifies it.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from core.clock import SystemClock
from core.providers.port import Adapter, Call, Outcome, OutMessage
from core.providers.smtp.adapter import SmtpAdapter
from core.providers.smtp.settings import SmtpSettings
from core.sandbox.app import Sandbox
from core.sandbox.limits import SandboxLimits
from core.sandbox.mail_server import MailServer
from tests.support.dkim import dns_of, pem
from tests.support.sandbox_clients import Http, doors
from tests.support.wait import until
from tests.wire.bounces.conftest import DOMAIN, KEYS, Engine, House, ref
from tests.wire.smtp.harness import Engine as Caller

MAIL = "sandbox-smtp"
KEY = rsa.generate_private_key(65_537, 2_048)


@pytest.fixture
async def box(tmp_path: Path, port: int) -> AsyncIterator[Sandbox]:
    limits = SandboxLimits(bounce_repeat_ms=50)
    folder = tmp_path / "box"
    async with Sandbox.start(
        folder, seed=1, limits=limits, bounce_to=("127.0.0.1", port)
    ) as running:
        yield running


@pytest.fixture
async def http(box: Sandbox) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield doors(session, box)


@pytest.fixture
async def adapter(box: Sandbox) -> AsyncIterator[Adapter]:
    settings = SmtpSettings(
        host="127.0.0.1",
        port=box.smtp_port,
        from_address="us@example.com",
        tls="off",
        bounce_domain=DOMAIN,
        dkim_domain="example.com",
        dkim_selector="s1",
    )
    secrets = {"bounce_key": KEYS["mail-a"], "dkim_key": pem(KEY)}
    made = SmtpAdapter("mail-a", settings, secrets, Caller(), Random(1), SystemClock())
    assert made.capabilities.receipts
    await made.start()
    await until(made.capacity)
    yield made
    await made.stop(grace_ms=100)


async def send(adapter: Adapter, number: int, **fields: Any) -> Outcome:
    outcomes: list[Outcome] = []
    message = OutMessage(
        ref(number), "ann@example.net", text="Good morning", subject="Hello", **fields
    )
    await until(adapter.capacity)
    adapter.submit(Call(message, lambda: True, outcomes.append))
    await until(lambda: outcomes)
    assert outcomes[0].kind == "accepted"
    return outcomes[0]


@pytest.mark.parametrize(
    ("habits", "said"),
    [
        ({"dsn": 1}, [("failed", "5.1.1")]),
        ({"delayed": 1}, [("accepted", "4.4.1")]),
        ({"delayed": 1, "dsn": 1}, [("accepted", "4.4.1"), ("failed", "5.1.1")]),
        ({"complaint": 1}, [("complained", "abuse")]),
        ({"complaint": 1, "dsn": 1}, [("failed", "5.1.1")]),
    ],
)
async def test_what_comes_back_is_a_receipt_of_its_message(
    http: Http, adapter: Adapter, engine: Engine, habits: Any, said: Any
) -> None:
    await http.behave(MAIL, bounce={**habits, "delay_ms": 0})
    await send(adapter, 1)
    await until(lambda: len(engine.said) == len(said))
    assert engine.said == [("mail-a", ref(1), *each) for each in said]
    assert "ann" not in "".join(receipt.detail for _, receipt in engine.receipts)


@pytest.mark.parametrize("habit", ["forged", "malformed", "auto_reply"])
async def test_what_is_no_bounce_is_no_receipt(
    http: Http, adapter: Adapter, engine: Engine, habit: str
) -> None:
    await http.behave(MAIL, bounce={habit: 1, "delay_ms": 0})
    for number in range(8):
        await send(adapter, number)
    account, kind = ("", "refused") if habit == "forged" else ("mail-a", habit)
    await until(lambda: engine.kinds[(account, kind)] == 8)
    assert not engine.receipts


async def test_on_a_good_day_nothing_comes_back(
    http: Http, adapter: Adapter, engine: Engine
) -> None:
    await send(adapter, 1)
    await http.behave(MAIL, bounce={"dsn": 1, "delay_ms": 0})
    await send(adapter, 2)
    await until(lambda: engine.said)
    assert [said[1] for said in engine.said] == [ref(2)]


async def test_a_bounce_that_is_not_taken_comes_again(
    http: Http, adapter: Adapter, engine: Engine
) -> None:
    await http.behave(MAIL, bounce={"dsn": 1, "delay_ms": 0})
    engine.answer = lambda r: r.ack() if len(engine.receipts) > 2 else r.nack()
    await send(adapter, 1)
    await until(lambda: len(engine.receipts) == 3)
    assert len(set(engine.said)) == 1


async def test_mails_are_signed_and_offer_to_unsubscribe(
    http: Http, adapter: Adapter, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[tuple[str, bytes]] = []
    received = MailServer.received

    def seen(self: MailServer, sender: str, recipients: list[str], data: bytes) -> Any:
        came.append((sender, data))
        return received(self, sender, recipients, data)

    monkeypatch.setattr(MailServer, "received", seen)
    await send(adapter, 1, unsubscribe_url="https://example.com/u/1")
    [(sender, data)] = came
    assert sender.startswith("b+") and sender.endswith(f"@{DOMAIN}")
    assert b"From: us@example.com" in data
    assert b"List-Unsubscribe: <https://example.com/u/1>\r\n" in data
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    head = data.partition(b"\r\n\r\n")[0].lower()
    assert b"list-unsubscribe:list-unsubscribe-post" in head.replace(b"\r\n\t", b"")
    assert dkim.verify(data, dnsfunc=dns_of("s1", "example.com", KEY))


async def test_mails_that_are_signed_beside_the_loop_all_end(
    house: House, box: Sandbox, adapter: Adapter, engine: Engine
) -> None:
    """Also those that are being signed when the account is stopped."""
    outcomes: list[Outcome] = []
    for number in range(16):
        message = OutMessage(ref(number), "ann@example.net", text="Good morning")
        adapter.submit(Call(message, lambda: True, outcomes.append))
    await adapter.stop(grace_ms=2_000)
    assert len(outcomes) == 16
    assert {outcome.kind for outcome in outcomes} <= {"accepted", "not_sent"}
