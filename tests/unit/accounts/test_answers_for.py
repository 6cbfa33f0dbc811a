"""What one recipient's own server says holds for no other recipient of the same account."""

from random import Random

import pytest

from core.accounts.facts import facts_of
from core.accounts.model import ProviderAccount
from core.clock import SystemClock
from core.contract.providers import AccountLimits
from core.contract.sections.common import RegionSettings
from core.engine.accounts import Account
from core.engine.protection import Protection, ProtectionRules
from core.providers.port import Outcome
from core.providers.registry import wire
from core.providers.smtp.capabilities import CAPABILITIES as SMTP

BAD = [
    Outcome("throttled", wait_ms=60_000),
    Outcome("unknown"),
    Outcome("retryable"),
    Outcome("not_sent"),
]


class Open:
    """An adapter that takes everything."""

    def capacity(self) -> int:
        return 10_000

    def state(self) -> str:
        return "up"


def account(wire_name: str) -> Account:
    known = wire(wire_name)
    channel = known.CAPABILITIES.channel
    given = ProviderAccount("a", wire_name, channel)
    protection = Protection(ProtectionRules(), AccountLimits(), None)
    facts = facts_of(given, RegionSettings())
    made = Account(given, 1, facts, SystemClock(), 60.0, protection)
    made.capabilities = known.CAPABILITIES
    made.adapter = Open()  # type: ignore[assignment]
    return made


def calls(one: Account, count: int) -> None:
    random, now = Random(1), SystemClock().boot()
    for _ in range(count):
        one.answered(random.choice(BAD), one.hold(True, now), 5.0)


def room(one: Account) -> int:
    return one.room(0, True, SystemClock().boot())


def test_endpoints_that_fail_take_no_webhook_from_others() -> None:
    one = account("webhook")
    before, quality = room(one), one.candidate(0, False, False, 0.0).success
    calls(one, 200)
    assert (one.circuit, room(one)) == ("closed", before)
    assert one.candidate(0, False, False, 0.0).success == quality
    assert one.in_flight == 0


def test_a_provider_that_fails_is_left_alone() -> None:
    assert SMTP.answers_for == "account"
    one = account("smtp")
    calls(one, 200)
    assert room(one) == 0


@pytest.mark.parametrize("again", [True, False])
def test_places_are_counted_all_the_same(again: bool) -> None:
    one = account("webhook")
    held = one.hold(again, 0.0)
    assert one.in_flight == 1
    one.answered(Outcome("accepted"), held, 1.0)
    assert one.in_flight == 0
