"""SMSCs that stop reading: no first byte leaves later than its guard allowed, plain and by TLS."""

import asyncio
from functools import partial

from core.providers.smpp.adapter import SmppAdapter
from core.providers.smpp.codec import Pdu
from tests.support.smsc import Link, Smsc, accept_bind
from tests.support.wait import until
from tests.wire.smpp.conftest import Rig


def answer_first_bind(smsc: Smsc):  # type: ignore[no-untyped-def]
    """So that the test can look at what one connection left behind."""

    def on_bind(link: Link, pdu: Pdu) -> None:
        if len(smsc.binds) == 1:
            accept_bind(link, pdu)

    return on_bind


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


async def test_a_jammed_link_begins_no_call_and_is_given_up(any_rig: Rig) -> None:
    """What began is in doubt, what did not begin is not sent.

    Only calls of a write that met the jam, the next ones in order, were asked without beginning.
    """
    any_rig.smsc.on_bind = answer_first_bind(any_rig.smsc)
    jam = Jam(any_rig)
    adapter = await jam.make(write_timeout_ms=300, response_timeout_ms=60_000)
    await until(lambda: all(any_rig.outcomes.values()))
    kinds = {ref: told[0].kind for ref, told in any_rig.outcomes.items()}
    begun = [ref for ref, kind in kinds.items() if kind == "unknown"]
    unbegun = [ref for ref, kind in kinds.items() if kind == "not_sent"]
    assert begun
    assert unbegun
    # In the order of submitting: everything before the jam, nothing after it.
    assert list(kinds) == begun + unbegun
    assert all(ref in jam.asked for ref in begun)
    asked = [ref in jam.asked for ref in unbegun]
    assert asked == sorted(asked, reverse=True)
    assert adapter.capacity() == 0


async def test_after_a_jam_that_clears_everything_goes_out_once_and_in_order(any_rig: Rig) -> None:
    jam = Jam(any_rig)
    await jam.make(write_timeout_ms=60_000, response_timeout_ms=60_000)
    transport = any_rig.smsc.link.transport
    assert transport is not None
    transport.resume_reading()
    await until(lambda: all(any_rig.outcomes.values()))
    assert {told[0].kind for told in any_rig.outcomes.values()} == {"accepted"}
    assert [message.payload for message in any_rig.smsc.submits] == [
        b"%04d" % number for number in range(jam.calls)
    ]
    assert len(jam.asked) == jam.calls


async def test_a_call_that_waited_out_a_jam_can_still_be_withdrawn(any_rig: Rig) -> None:
    jam = Jam(any_rig)
    await jam.make(write_timeout_ms=60_000, response_timeout_ms=60_000)
    allowed = True
    any_rig.send("late", "late", guard=lambda: allowed)
    await asyncio.sleep(0)
    assert any_rig.outcomes["late"] == []
    allowed = False
    transport = any_rig.smsc.link.transport
    assert transport is not None
    transport.resume_reading()
    assert (await any_rig.outcome("late")).kind == "withdrawn"
    await until(lambda: all(any_rig.outcomes.values()))
    assert len(any_rig.smsc.submits) == jam.calls
