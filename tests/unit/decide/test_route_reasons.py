"""What a decision says of each account, by cases that people meet."""

import msgspec
import pytest
from msgspec.structs import replace

from core.contract.providers import Destinations, Price
from core.decide.policy import DEFAULT, Policy, scaled
from core.decide.route import (
    Candidate,
    Decision,
    Wanted,
    choose,
    ends_at_once,
    reach_of,
    reasons,
)

PLAIN = Candidate("a", "sms", priority=100, success=0.95, room=10)
OTHER = replace(PLAIN, id="other", priority=900, success=0.1)
GB = Wanted("sms", country="GB", parts=2, chars=200)


def removed(decision: Decision) -> dict[str, str]:
    return {each.account: each.why for each in decision.removed}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"enabled": False}, "disabled"),
        ({"channel": "email"}, "serves email"),
        ({"state": "down: connection refused"}, "down: connection refused"),
        ({"paused_ms": 5000}, "throttled by the provider"),
        ({"circuit": "open"}, "circuit open after failures"),
        ({"quota_left": 0}, "its quota of today is used up"),
        ({"destinations": reach_of(Destinations(deny=["GB"]))}, "does not send to GB"),
        ({"destinations": reach_of(Destinations(allow=["DE"]))}, "does not send to GB"),
        ({"text_chars_max": 160}, "takes 160 characters, the text has 200"),
        ({"html": False}, "takes no HTML"),
        ({"price": Price(0.03)}, "costs 0.06, above the policy's 0.05"),
        ({"price": Price(0.0, {"GB": 0.03})}, "costs 0.06, above the policy's 0.05"),
        ({"id": "forbidden"}, "forbidden by the policy"),
        ({"id": "left-out"}, "not among those that the policy requires"),
    ],
)
def test_reasons_name_what_removed_an_account(change: dict[str, object], why: str) -> None:
    policy = Policy(
        forbid=frozenset({"forbidden"}), require=frozenset({"a", "forbidden"}), price_max=0.05
    )
    each = replace(PLAIN, **change)
    decision = choose(replace(GB, html=True), [each], policy, 0.5)
    assert removed(decision) == {each.id: why}
    assert (decision.account, decision.candidates) == ("", [])


def test_a_half_open_circuit_is_probed() -> None:
    assert choose(GB, [replace(PLAIN, circuit="half_open")], DEFAULT, 0.5).account == "a"


def test_destinations_bind_only_where_a_country_is_known() -> None:
    mail = replace(PLAIN, channel="email", destinations=reach_of(Destinations(allow=["DE"])))
    assert choose(Wanted("email", country="ZZ"), [mail], DEFAULT, 0.5).account == "a"
    phone = replace(mail, channel="sms")
    assert choose(Wanted("sms", country="ZZ"), [phone], DEFAULT, 0.5).account == ""


def test_who_refused_the_message_is_asked_again_only_when_nobody_else_is_left() -> None:
    refused = replace(PLAIN, refused=True)
    decision = choose(GB, [refused, OTHER], DEFAULT, 0.5)
    assert decision.account == "other"
    assert removed(decision) == {"a": "refused this message before"}
    alone = choose(GB, [refused, replace(OTHER, enabled=False)], DEFAULT, 0.5)
    assert alone.account == "a"
    assert alone.candidates[0].refused


def test_who_has_no_room_stays_a_candidate() -> None:
    decision = choose(GB, [replace(PLAIN, room=0), OTHER], DEFAULT, 0.5)
    assert [(s.account, s.full) for s in decision.candidates] == [("a", True), ("other", False)]
    assert decision.account == "other"
    assert choose(GB, [replace(PLAIN, room=0)], DEFAULT, 0.5).account == ""


def test_accounts_that_the_order_leaves_out_come_behind_by_priority() -> None:
    policy = Policy(rank={"other": 0}, millionths=scaled(0, 0, 0, 0, 1))
    third = replace(PLAIN, id="third", priority=1000)
    found = choose(GB, [third, PLAIN, OTHER], policy, 0.5).candidates
    assert [s.account for s in found] == ["other", "a", "third"]


def test_what_is_nearer_and_faster_scores_higher_by_those_weights() -> None:
    near = replace(PLAIN, id="near", distance_km=50.0, latency_ms=400.0)
    far = replace(PLAIN, id="far", distance_km=5000.0, latency_ms=40.0)
    nowhere = replace(PLAIN, id="nowhere", latency_ms=40.0)
    given = [far, near, nowhere]
    by_distance = choose(GB, given, Policy(millionths=scaled(0, 0, 0, 1, 0)), 0.5)
    assert [s.account for s in by_distance.candidates] == ["near", "far", "nowhere"]
    by_latency = choose(GB, given, Policy(millionths=scaled(0, 1, 0, 0, 0)), 0.5)
    assert by_latency.candidates[-1].account == "near"


def test_an_account_that_is_gone_is_said_to_be() -> None:
    decision = choose(GB, [PLAIN], Policy(gone=("old",)), 0.5)
    assert decision.account == "a"
    assert removed(decision) == {"old": "named by the policy, but there is none"}


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ([], True),
        ([replace(PLAIN, enabled=False)], True),
        ([replace(PLAIN, circuit="open")], True),
        ([replace(PLAIN, state="connecting")], False),
        ([replace(PLAIN, paused_ms=10), replace(OTHER, enabled=False)], False),
        ([replace(PLAIN, room=0)], False),
    ],
)
def test_a_policy_may_end_a_message_that_no_account_is_left_for(
    given: list[Candidate], ends: bool
) -> None:
    policy = Policy(when_none="end")
    assert ends_at_once(choose(GB, given, policy, 0.5), policy) == ends
    assert not ends_at_once(choose(GB, given, DEFAULT, 0.5), DEFAULT)


def test_reasons_are_told_in_one_line() -> None:
    mail = replace(OTHER, channel="email")
    decision = choose(GB, [replace(PLAIN, enabled=False), mail], DEFAULT, 0.5)
    assert reasons(decision.removed, "sms") == "a: disabled"
    alone = choose(GB, [mail], DEFAULT, 0.5)
    assert reasons(alone.removed, "sms") == "no account serves the channel sms"


def test_the_explanation_is_short_json() -> None:
    policy = Policy(name="cheap", version=3, millionths=scaled(1, 0, 1, 0, 0))
    given = [replace(PLAIN, price=Price(0.02), success=0.5), replace(OTHER, enabled=False)]
    assert msgspec.to_builtins(choose(GB, given, policy, 0.5)) == {
        "account": "a",
        "policy": "cheap",
        "version": 3,
        "candidates": [
            {"account": "a", "score": 0.75, "parts": {"success": 0.25, "cost": 0.5}, "price": 0.04}
        ],
        "removed": [{"account": "other", "why": "disabled"}],
    }
