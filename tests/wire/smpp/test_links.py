"""The life of a connection: binding, silence, jams, leaving, and how it is closed."""

import asyncio
import datetime
import ssl
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest import mark

from core.providers.smpp import codec
from core.providers.smpp.adapter import SmppAdapter
from core.providers.smpp.codec import Pdu
from tests.support.smsc import Link, Smsc, accept_bind, say_nothing
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig


def refuse_bind(status: int):  # type: ignore[no-untyped-def]
    def on_bind(link: Link, pdu: Pdu) -> None:
        link.send(codec.bind_transceiver_resp(pdu.sequence, status))

    return on_bind


def answer_first_bind(smsc: Smsc):  # type: ignore[no-untyped-def]
    """So that the test can look at what one connection left behind."""

    def on_bind(link: Link, pdu: Pdu) -> None:
        if len(smsc.binds) == 1:
            accept_bind(link, pdu)

    return on_bind


@mark.parametrize("status", [0x0D, 0x0E, 0x0F])
async def test_a_bad_password_is_a_fault_and_not_tried_again(rig: Rig, status: int) -> None:
    rig.smsc.on_bind = refuse_bind(status)
    adapter = await rig.connect(password="secret", wait_up=False)
    await until(lambda: rig.events.faults)
    assert adapter.state().startswith("fault: ")
    assert adapter.capacity() == 0
    rig.send("r")
    assert (await rig.outcome("r")).kind == "not_sent"
    await asyncio.gather(*adapter._keepers)
    assert len(rig.smsc.binds) == 1
    assert len(rig.events.faults) == 1
    assert "secret" not in rig.events.faults[0]


async def test_a_password_that_smpp_cannot_carry_is_a_fault(rig: Rig) -> None:
    adapter = await rig.connect(password="much too long for SMPP", wait_up=False)
    await until(lambda: rig.events.faults)
    assert "much too long" not in adapter.state()
    assert rig.smsc.binds == []


async def test_one_bind_too_many_is_not_a_fault(rig: Rig) -> None:
    def only_one(link: Link, pdu: Pdu) -> None:
        if len(rig.smsc.binds) == 1:
            accept_bind(link, pdu)
        else:
            refuse_bind(0x0D)(link, pdu)

    rig.smsc.on_bind = only_one
    adapter = await rig.connect(connections=2)
    await until(lambda: len(rig.smsc.binds) > 2)
    assert adapter.state() == "up"
    assert rig.events.faults == []
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"


async def test_other_refusals_of_the_bind_are_tried_again(rig: Rig) -> None:
    rig.smsc.on_bind = refuse_bind(0x08)
    adapter = await rig.connect(wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 3)
    assert "0x00000008" in adapter.state()
    rig.smsc.on_bind = accept_bind
    await until(lambda: adapter.state() == "up")


async def test_a_bind_without_an_answer_is_tried_again(rig: Rig) -> None:
    rig.smsc.on_bind = lambda link, pdu: None
    adapter = await rig.connect(response_timeout_ms=50, wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 2)
    await until(lambda: rig.smsc.links[0].closed)
    rig.smsc.on_bind = accept_bind
    await until(lambda: adapter.state() == "up")


async def test_silence_is_enquired_and_an_answer_keeps_the_link(rig: Rig) -> None:
    await rig.connect(enquire_link_ms=30, response_timeout_ms=60)
    await until(lambda: rig.smsc.enquiries >= 5)
    assert len(rig.smsc.links) == 1
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"


async def test_an_enquiry_without_an_answer_ends_the_link(rig: Rig) -> None:
    rig.smsc.answers_enquiries = False
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect(enquire_link_ms=30, response_timeout_ms=60)
    first = rig.smsc.link
    await until(lambda: first.closed)
    rig.smsc.answers_enquiries = True
    await until(lambda: len(rig.smsc.binds) == 2 and adapter.state() == "up")


async def test_our_answers_to_enquiries(rig: Rig) -> None:
    await rig.connect()
    rig.smsc.link.send(codec.bare(codec.ENQUIRE_LINK, 77))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.others[0].command == codec.ENQUIRE_LINK_RESP
    assert rig.smsc.others[0].sequence == 77


async def test_the_smsc_unbinds(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: held)
    first = rig.smsc.link
    first.send(codec.bare(codec.UNBIND, 5))
    await until(lambda: rig.smsc.others)
    assert rig.smsc.others[0].command == codec.UNBIND_RESP
    # Nothing new on this link, but what it owes may still come.
    assert adapter.capacity() == 0
    held[0][0].accept(held[0][1])
    assert (await rig.outcome("r")).kind == "accepted"
    await until(lambda: first.closed and adapter.state() == "up")


async def test_stopping_waits_for_answers_and_takes_its_leave(rig: Rig) -> None:
    held: list[tuple[Link, Pdu]] = []
    rig.smsc.on_submit = lambda link, pdu, _: held.append((link, pdu))
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: held)
    stopping = asyncio.create_task(adapter.stop(grace_ms=5_000))
    await until(lambda: adapter.capacity() == 0)
    rig.send("too late")
    assert (await rig.outcome("too late")).kind == "not_sent"
    assert not stopping.done()
    held[0][0].accept(held[0][1])
    await stopping
    assert (await rig.outcome("r")).kind == "accepted"
    await until(lambda: rig.smsc.link.closed)
    assert rig.smsc.link.unbound
    assert len(rig.smsc.binds) == 1


async def test_stopping_gives_up_after_the_grace(rig: Rig) -> None:
    rig.smsc.on_submit = say_nothing
    adapter = await rig.connect()
    rig.send("r")
    await until(lambda: rig.smsc.submits)
    await adapter.stop(grace_ms=50)
    assert (await rig.outcome("r")).kind == "unknown"


async def test_a_call_not_yet_written_when_stopping_is_not_sent(rig: Rig) -> None:
    adapter = await rig.connect()
    rig.send("r")
    await adapter.stop(grace_ms=50)
    assert (await rig.outcome("r")).kind == "not_sent"
    assert rig.smsc.submits == []


async def test_closing_is_a_reset(rig: Rig) -> None:
    adapter = await rig.connect()
    link = rig.smsc.link
    await adapter.stop(grace_ms=50)
    await until(lambda: link.closed)
    assert isinstance(link.lost_by, ConnectionResetError)


class Jam:
    """A connection whose SMSC reads nothing, and more calls than the kernel's buffers hold."""

    calls = 9_000

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.asked: dict[str, int] = {}

    async def make(self, **settings: int) -> SmppAdapter:
        # A long reference makes each PDU long; the window is as large as it may be.
        adapter = await self.rig.connect(window=10_000, reference_tlv=0x1400, **settings)
        transport = self.rig.smsc.link.transport
        assert transport is not None
        transport.pause_reading()
        for number in range(self.calls):
            ref = f"{number:04d}".ljust(1_000, "x")
            self.rig.send(ref, f"{number:04d}", guard=partial(self._guard, ref))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < len(self.asked) < self.calls
        return adapter

    def _guard(self, ref: str) -> bool:
        self.asked[ref] = self.asked.get(ref, 0) + 1
        return True


async def test_a_jammed_link_begins_no_call_and_is_given_up(rig: Rig) -> None:
    """What began is in doubt, what did not begin is not sent and its guard was not asked.

    Only the calls of the write that met the jam may have been asked without beginning.
    """
    rig.smsc.on_bind = answer_first_bind(rig.smsc)
    jam = Jam(rig)
    adapter = await jam.make(write_timeout_ms=300, response_timeout_ms=60_000)
    await until(lambda: all(rig.outcomes.values()))
    kinds = {ref: told[0].kind for ref, told in rig.outcomes.items()}
    begun = [ref for ref, kind in kinds.items() if kind == "unknown"]
    unbegun = [ref for ref, kind in kinds.items() if kind == "not_sent"]
    assert begun
    assert unbegun
    # In the order of submitting: everything before the jam, nothing after it.
    assert list(kinds) == begun + unbegun
    assert all(ref in jam.asked for ref in begun)
    assert sum(ref in jam.asked for ref in unbegun) <= 50
    assert adapter.capacity() == 0


async def test_after_a_jam_that_clears_everything_goes_out_once_and_in_order(rig: Rig) -> None:
    jam = Jam(rig)
    await jam.make(write_timeout_ms=60_000, response_timeout_ms=60_000)
    transport = rig.smsc.link.transport
    assert transport is not None
    transport.resume_reading()
    await until(lambda: all(rig.outcomes.values()))
    assert {told[0].kind for told in rig.outcomes.values()} == {"accepted"}
    assert [message.payload for message in rig.smsc.submits] == [
        b"%04d" % number for number in range(jam.calls)
    ]
    # Those that met the jam were asked again when they could begin.
    assert max(jam.asked.values()) == 2


async def test_a_call_that_waited_out_a_jam_can_still_be_withdrawn(rig: Rig) -> None:
    jam = Jam(rig)
    await jam.make(write_timeout_ms=60_000, response_timeout_ms=60_000)
    allowed = True
    rig.send("late", "late", guard=lambda: allowed)
    await asyncio.sleep(0)
    assert rig.outcomes["late"] == []
    allowed = False
    transport = rig.smsc.link.transport
    assert transport is not None
    transport.resume_reading()
    assert (await rig.outcome("late")).kind == "withdrawn"
    await until(lambda: all(rig.outcomes.values()))
    assert len(rig.smsc.submits) == jam.calls


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server context for "localhost" with a fresh certificate, and the file to trust it by."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    trusted = folder / "ca.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context, trusted


async def test_tls(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    smsc = Smsc(tls=context)
    await smsc.start()
    rig = Rig(smsc)
    adapter = await rig.connect(tls=True, tls_ca_file=str(trusted), tls_server_name="localhost")
    count = 40
    for number in range(count):
        rig.send(f"r{number}", "0123456789" * 40 if number % 2 else "short")
    rig.send("no", guard=lambda: False)
    await until(lambda: all(rig.outcomes.values()))
    kinds = [told[0].kind for told in rig.outcomes.values()]
    assert kinds == ["accepted"] * count + ["withdrawn"]
    assert len(smsc.submits) == 20 + 60
    smsc.on_submit = lambda link, pdu, _: link.reset()
    rig.send("lost")
    assert (await rig.outcome("lost")).kind == "unknown"
    await until(lambda: adapter.state() == "up")
    await adapter.stop(grace_ms=500)
    await until(lambda: smsc.link.closed)
    await smsc.stop()


async def test_tls_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    context, trusted = certificate(tmp_path)
    smsc = Smsc(tls=context)
    await smsc.start()
    rig = Rig(smsc)
    adapter = await rig.connect(tls=True, tls_ca_file=str(trusted), wait_up=False)
    await until(lambda: "certificate" in adapter.state().lower())
    assert smsc.binds == []
    await adapter.stop(grace_ms=0)
    missing = await rig.connect(tls=True, tls_ca_file=str(tmp_path / "none"), wait_up=False)
    await until(lambda: "No such file" in missing.state())
    await missing.stop(grace_ms=0)
    await smsc.stop()


async def test_a_reset_at_any_moment_of_connecting_is_survived(rig: Rig) -> None:
    moments = iter(["at once", "after bind", "half an answer"])

    def on_bind(link: Link, pdu: Pdu) -> None:
        moment = next(moments, "fine")
        if moment == "at once":
            link.reset()
        elif moment == "after bind":
            accept_bind(link, pdu)
            assert link.transport is not None
            link.transport.close()
        elif moment == "half an answer":
            link.send(codec.bind_transceiver_resp(pdu.sequence, 0, "smsc")[:10])
            link.reset()
        else:
            accept_bind(link, pdu)

    rig.smsc.on_bind = on_bind
    adapter = await rig.connect(wait_up=False)
    await until(lambda: len(rig.smsc.binds) == 4 and adapter.state() == "up")
    rig.send("r")
    assert (await rig.outcome("r")).kind == "accepted"
