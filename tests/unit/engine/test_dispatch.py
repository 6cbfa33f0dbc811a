"""Whose turn it is, which account, what is turned away, and why the rest waits."""

import asyncio
from collections import Counter

from core.contract.providers import AccountLimits, Destinations
from core.decide.policy import Policy
from core.engine.dispatch import TURN_MESSAGES, TurnRules
from core.engine.hooks import Endpoint
from core.engine.protection import ProtectionRules
from core.providers.port import Outcome
from sync.owner.state import Phase
from sync.records import Intent, Place
from tests.unit.engine.stage import Stage


async def test_an_otp_has_the_next_free_place_however_many_wait() -> None:
    stage = Stage()
    adapter = stage.account("a", window=4)
    for _ in range(5_000):
        stage.offer("bulk")
    await stage.settle()
    assert len(adapter.calls) == 4
    otp = stage.offer("otp")
    adapter.answer()
    await stage.settle()
    assert stage.sent()[-1] == otp.id


async def test_a_part_of_the_window_is_kept_for_what_is_urgent() -> None:
    stage = Stage()
    adapter = stage.account("a", window=20)
    for _ in range(100):
        stage.offer("bulk")
        stage.offer("transactional")
    await stage.settle()
    assert len(adapter.calls) == 18
    otp = stage.offer("otp")
    await stage.settle()
    assert stage.sent()[-1] == otp.id


async def test_one_turn_of_the_loop_takes_a_bounded_number() -> None:
    stage = Stage()
    stage.account("a", window=100_000)
    await stage.settle()
    for _ in range(1_000):
        stage.offer("bulk")
    await asyncio.sleep(0)
    assert len(stage.sent()) == TURN_MESSAGES
    otp = stage.offer("otp")
    await asyncio.sleep(0)
    assert stage.sent()[TURN_MESSAGES] == otp.id
    await stage.settle()
    assert len(stage.sent()) == 1_001


async def test_bulk_has_its_part_beside_transactional() -> None:
    stage = Stage(TurnRules({}, 4))
    adapter = stage.account("a", window=1)
    bulk = {stage.offer("bulk").id for _ in range(100)}
    for _ in range(100):
        stage.offer("transactional")
    await stage.settle()
    for _ in range(49):
        adapter.answer()
        await stage.settle()
    assert abs(len(bulk & set(stage.sent())) - 10) <= 1


async def test_tenants_share_by_their_weights() -> None:
    stage = Stage(TurnRules({"big": 3.0}, 8))
    adapter = stage.account("a", window=1)
    for _ in range(300):
        stage.offer("bulk", "big")
    for _ in range(300):
        stage.offer("bulk", "small", country="US")
    await stage.settle()
    for _ in range(79):
        adapter.answer()
        await stage.settle()
    seen = Counter(
        "big" if int(name.partition("-m")[2]) <= 300 else "small" for name in stage.sent()
    )
    assert abs(seen["big"] - 60) <= 3


async def test_all_that_wait_say_why_and_no_longer_once_it_is_over() -> None:
    stage = Stage()
    adapter = stage.account("a")
    adapter.says = "down: connection refused"
    waiting = [stage.offer("bulk") for _ in range(200)]
    await stage.settle()
    assert {str(msg.why) for msg in waiting} == {"a: down: connection refused"}
    assert stage.dispatcher.waiting == 200
    adapter.says = "up"
    await stage.settle()
    assert len(adapter.calls) == 9
    assert {str(msg.why) for msg in waiting} == {"no free place at a"}


async def test_what_waits_for_one_account_does_not_hold_up_what_another_takes() -> None:
    stage = Stage()
    stage.account("gb", window=1, destinations=Destinations(allow=["GB"]))
    other = stage.account("us", window=5, destinations=Destinations(allow=["US"]))
    for _ in range(10):
        stage.offer()
    for _ in range(3):
        stage.offer(country="US")
    await stage.settle()
    assert len(other.calls) == 3


async def test_an_account_that_refused_is_passed_over_and_another_one_takes_it() -> None:
    stage = Stage()
    first = stage.account("first", priority=1)
    second = stage.account("second", priority=2)
    msg = stage.offer()
    await stage.settle()
    first.answer("permanent")
    assert msg.content is not None
    assert stage.dispatcher.others(msg, msg.content[1], "first")
    stage.again(msg)
    await stage.settle()
    assert len(second.calls) == 1
    assert not stage.dispatcher.others(msg, msg.content[1], "second")


async def test_a_repeat_goes_to_its_account_only_with_its_key() -> None:
    stage = Stage()
    stage.account("first", priority=1)
    second = stage.account("second", priority=2)
    msg = stage.offer()
    await stage.settle()
    msg.repeat = Intent(msg.id, 0, 1, Place("l", 1, 0), b"", "second", "key", 9, 0, False, 9, 0, 0)
    stage.again(msg)
    await stage.settle()
    assert second.calls[0].message.provider_key == "key"


async def test_a_circuit_that_opens_moves_messages_elsewhere_and_probes_come_back() -> None:
    stage = Stage()
    first = stage.account("first", priority=1)
    second = stage.account("second", window=100, priority=2)
    for _ in range(10):
        stage.offer()
        await stage.settle()
        first.answer("unknown")
    assert stage.accounts["first"].circuit == "open"
    assert "10 failures in a row" in stage.accounts["first"].shown
    stage.offer()
    await stage.settle()
    assert (len(first.calls), len(second.calls)) == (0, 1)
    stage.clock.go(1.1)
    for _ in range(3):
        stage.offer()
    await stage.settle()
    assert (len(first.calls), len(second.calls)) == (1, 3)
    first.answer("accepted")
    assert stage.accounts["first"].shown == "up"


async def test_a_policy_that_leaves_nobody_ends_the_message_with_the_reasons() -> None:
    stage = Stage()
    adapter = stage.account("a")
    adapter.says = "down: refused"
    policies = (Policy(name="strict", version=3, classes=frozenset({"otp"}), when_none="end"),)
    stage.dispatcher.hooks.policies = lambda: policies
    usual, strict = stage.offer(), stage.offer("otp")
    await stage.settle()
    assert stage.owner.turned == [(strict.id, "failed", "no_route", "a: down: refused")]
    assert usual.phase is Phase.OFFERED


async def test_a_full_account_is_waited_for_whatever_the_policy_says() -> None:
    stage = Stage()
    stage.account("a", window=0)
    policies = (Policy(name="strict", version=3, when_none="end"),)
    stage.dispatcher.hooks.policies = lambda: policies
    stage.offer()
    await stage.settle()
    assert stage.owner.turned == []


async def test_a_new_policy_holds_for_what_waits_already() -> None:
    stage = Stage()
    adapter = stage.account("a", window=0)
    other = stage.account("b", window=5, priority=900)
    before = (Policy(name="p", version=1, require=frozenset({"a"})),)
    after = (Policy(name="p", version=2, require=frozenset({"b"})),)
    stage.dispatcher.hooks.policies = lambda: before
    for _ in range(5):
        stage.offer("bulk")
    await stage.settle()
    assert (adapter.calls, other.calls) == ([], [])
    stage.dispatcher.hooks.policies = lambda: after
    await stage.settle()
    assert len(other.calls) == 5
    assert stage.dispatcher.waiting == 0


async def test_what_is_suppressed_is_asked_just_before_the_intent() -> None:
    stage = Stage()
    adapter = stage.account("a", window=0)
    msg = stage.offer()
    await stage.settle()
    stage.dispatcher.hooks.suppressed = lambda payload: f"complaint-{payload.country}"
    adapter.window = 5
    await stage.settle()
    assert stage.owner.turned == [
        (msg.id, "suppressed", "complaint-GB", "the contact point is suppressed")
    ]
    assert adapter.calls == []
    assert stage.accounts["a"].in_flight == 0


async def test_nothing_is_intended_near_the_end_of_the_lease() -> None:
    stage = Stage()
    adapter = stage.account("a")
    stage.lease_s = 0.5
    stage.offer()
    await stage.settle()
    assert adapter.calls == []


# Limits


async def test_a_rate_holds_over_time_and_is_used_up() -> None:
    stage = Stage()
    adapter = stage.account("a", window=10_000, limits=AccountLimits(per_second=50))
    for _ in range(1_000):
        stage.offer("bulk")
    await stage.settle()
    assert len(adapter.calls) == 5
    for _ in range(400):
        stage.clock.go(0.025)
        await stage.settle()
    assert 490 <= len(adapter.calls) <= 506


async def test_concurrency_caps_what_the_wire_would_take() -> None:
    stage = Stage()
    adapter = stage.account("a", window=50, limits=AccountLimits(concurrency=3))
    for _ in range(10):
        stage.offer()
    await stage.settle()
    assert len(adapter.calls) == 3


async def test_processes_share_an_accounts_limits() -> None:
    stage = Stage()
    limits = AccountLimits(per_second=100, concurrency=8)
    adapter = stage.account("a", window=50, limits=limits, rules=ProtectionRules(processes=2))
    for _ in range(20):
        stage.offer()
    await stage.settle()
    assert len(adapter.calls) == 4


async def test_retries_over_their_budget_wait_while_first_attempts_go() -> None:
    stage = Stage()
    adapter = stage.account("a", window=10_000)
    earlier = [(Place("l", 1, 0), None)]
    for _ in range(500):
        stage.offer(effects=list(earlier))
    await stage.settle()
    assert len(adapter.calls) == 100  # the floor: 10 a second for 10 s
    first = [stage.offer() for _ in range(100)]
    await stage.settle()
    assert len(adapter.calls) == 220
    assert {m.id for m in first} <= set(stage.sent())
    stage.clock.go(11)
    await stage.settle()
    assert len(adapter.calls) == 320


async def test_places_of_lost_shards_are_free_again() -> None:
    stage = Stage()
    adapter = stage.account("a", window=2)
    stage.dispatcher.after = lambda: None  # intents that never stand
    stage.offer()
    await stage.settle()
    assert stage.dispatcher.calling == 1
    stage.dispatcher.lost("another", {0})
    assert stage.dispatcher.calling == 1
    stage.dispatcher.lost("h", {0})
    assert stage.dispatcher.calling == 0
    assert adapter.calls == []


# What the wire is given


async def test_an_event_goes_where_its_endpoint_is_now() -> None:
    stage = Stage()
    adapter = stage.account("hooks", channel="webhook")
    endpoints = {("t", "ep1"): Endpoint("https://example.com/h", ("new", "old"))}
    stage.dispatcher.hooks.endpoint = lambda tenant, name: endpoints.get((tenant, name))
    stage.offer(channel="webhook", to="ep1", kind="event", text='{"a":1}')
    await stage.settle()
    out = adapter.calls[0].message
    assert (out.to, out.signing, out.raw) == ("https://example.com/h", ("new", "old"), True)
    assert (out.text, out.created_ms) == ('{"a":1}', 77)


async def test_an_event_whose_endpoint_was_taken_away_is_not_sent() -> None:
    stage = Stage()
    adapter = stage.account("hooks", channel="webhook")
    told: list[Outcome] = []
    stage.dispatcher.on_outcome = lambda *a: told.append(a[3])
    off = Endpoint("https://example.com/h", (), enabled=False)
    later = Endpoint("", (), problem="it is looked for")
    endpoints = {"off": off, "later": later}
    stage.dispatcher.hooks.endpoint = lambda _, name: endpoints.get(name)
    for name in ("ep1", "off", "later"):
        stage.offer(channel="webhook", to=name, kind="event")
    await stage.settle()
    assert [(o.kind, o.detail) for o in told] == [
        ("permanent", "the endpoint was taken away"),
        ("permanent", "the endpoint is switched off"),
        ("not_sent", "it is looked for"),
    ]
    assert (adapter.calls, stage.dispatcher.calling) == ([], 0)


async def test_an_email_carries_its_link_and_an_unknown_recipient_is_told() -> None:
    stage = Stage()
    adapter = stage.account("mail", channel="email")
    heard: list[tuple[str, str, str]] = []
    hooks = stage.dispatcher.hooks
    hooks.unsubscribe_url = lambda payload, message_id: f"https://u/{payload.to}/{message_id}"
    hooks.invalid_target = lambda message_id, payload, to, detail: heard.append(
        (message_id, to, detail)
    )
    msg = stage.offer("bulk", channel="email", to="a@example.com", html="<p>")
    await stage.settle()
    out = adapter.calls[0].message
    assert out.unsubscribe_url == f"https://u/a@example.com/{msg.id}"
    assert out.message_class == "bulk"
    adapter.answer("invalid_target", detail="no such user")
    assert heard == [(msg.id, "a@example.com", "no such user")]
