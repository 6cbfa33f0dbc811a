"""GouTong's own adapters against the sandbox: what each says, the other understands."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from core.clock import SystemClock
from core.providers.port import Adapter, Call, Outcome, OutMessage, ReceiptIn
from core.providers.smpp.adapter import SmppAdapter
from core.providers.smpp.settings import SmppSettings
from core.providers.smtp.adapter import SmtpAdapter
from core.providers.smtp.settings import SmtpSettings
from core.sandbox.app import Sandbox
from tests.support.sandbox_clients import Http
from tests.support.wait import until

LONG = "Grüße {aus} 東京 🎉 " * 30


class Events:
    """Keeps what adapters tell, and acknowledges receipts."""

    def __init__(self) -> None:
        self.receipts: list[ReceiptIn] = []

    def receipt(self, receipt: ReceiptIn) -> None:
        self.receipts.append(receipt)
        receipt.ack()

    def late(self, ref: str, outcome: Outcome) -> None: ...

    def changed(self) -> None: ...

    def fault(self, detail: str) -> None: ...


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
async def smpp(box: Sandbox, events: Events) -> AsyncIterator[Adapter]:
    settings = SmppSettings(
        host="127.0.0.1",
        port=box.smpp_port,
        system_id="sandbox",
        reference_tlv=0x1400,
        reconnect_min_ms=20,
        id_notation="dec_in_receipt",
    )
    loop = asyncio.get_running_loop()
    adapter = SmppAdapter("a", settings, "sandbox", events, loop, Random(1))
    await adapter.start()
    await until(lambda: adapter.state() == "up")
    yield adapter
    await adapter.stop(grace_ms=0)


@pytest.fixture
async def smtp(box: Sandbox, events: Events) -> AsyncIterator[Adapter]:
    settings = SmtpSettings(
        host="127.0.0.1",
        port=box.smtp_port,
        from_address="us@example.com",
        username="sandbox",
        tls="starttls_required",
        ca_file=str(box.folder / "tls.crt"),
    )
    adapter = SmtpAdapter("b", settings, {"password": "sandbox"}, events, Random(1), SystemClock())
    await adapter.start()
    await until(lambda: adapter.state() == "up")
    yield adapter
    await adapter.stop(grace_ms=0)


async def sent(adapter: Adapter, message: OutMessage) -> Outcome:
    outcomes: list[Outcome] = []
    await until(adapter.capacity)
    adapter.submit(Call(message, lambda: True, outcomes.append))
    await until(lambda: outcomes)
    return outcomes[0]


async def test_a_long_text_and_its_receipts(
    box: Sandbox, http: Http, smpp: Adapter, events: Events
) -> None:
    await http.behave("sandbox-smsc", id_notation="dec_in_receipt", receipt={"early": 0.5})
    outcome = await sent(smpp, OutMessage("m1.1.4", "+447700900123", text=LONG))
    assert outcome.kind == "accepted"
    ids = set(outcome.provider_id.split(","))
    assert len(ids) > 3
    await until(lambda: {receipt.provider_id for receipt in events.receipts} == ids)
    assert {receipt.status for receipt in events.receipts} == {"delivered"}
    [entry] = await http.history()
    assert (entry["to"], entry["text"], entry["ref"]) == ("+447700900123", LONG, "m1.1.4")


async def test_a_mail_in_text_and_html(http: Http, smtp: Adapter) -> None:
    message = OutMessage(
        "m2.1.4", "you@example.org", text="Text\n.\nend", subject="Grüße", html="<p>T</p>"
    )
    assert (await sent(smtp, message)).kind == "accepted"
    [entry] = await http.history()
    assert (entry["to"], entry["text"], entry["ref"]) == (
        "you@example.org",
        "Grüße\n\nText\n.\nend",
        "m2.1.4",
    )


KINDS = {
    "throttled": "throttled",
    "temporary": "retryable",
    "permanent": "permanent",
    "invalid_target": "invalid_target",
    "account": "account_fault",
}


@pytest.mark.parametrize(("refuse_as", "kind"), KINDS.items())
async def test_refusals_are_understood_as_they_are_meant(
    http: Http, smpp: Adapter, smtp: Adapter, refuse_as: str, kind: str
) -> None:
    for provider in ("sandbox-smsc", "sandbox-smtp"):
        await http.behave(provider, refuse={"ratio": 1, "as": refuse_as})
    text = await sent(smpp, OutMessage("m1.1.1", "+447700900123", text="hi"))
    mail = await sent(smtp, OutMessage("m2.1.1", "you@example.org", text="hi", subject="s"))
    assert (text.kind, mail.kind) == (kind, kind)
    assert [entry["effective"] for entry in await http.history()] == [False, False]


async def test_a_reset_leaves_a_doubt_and_an_effect(
    http: Http, smpp: Adapter, smtp: Adapter
) -> None:
    for provider in ("sandbox-smsc", "sandbox-smtp"):
        await http.behave(provider, reset_after_body=1)
    text = await sent(smpp, OutMessage("m1.1.1", "+447700900123", text="hi"))
    mail = await sent(smtp, OutMessage("m2.1.1", "you@example.org", text="hi", subject="s"))
    assert (text.kind, mail.kind) == ("unknown", "unknown")
    outcomes = [(entry["outcome"], entry["effective"]) for entry in await http.history()]
    assert outcomes == [("reset", True), ("reset", True)]
    # Both come back by themselves.
    for provider in ("sandbox-smsc", "sandbox-smtp"):
        await http.ask("DELETE", f"/sandbox/behaviour/{provider}")
    again = await sent(smpp, OutMessage("m3.1.1", "+447700900123", text="hi"))
    assert again.kind == "accepted"
