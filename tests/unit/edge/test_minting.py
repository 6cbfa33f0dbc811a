"""Ids by the placement map: the same at every edge, and found under every version that is kept."""

import os
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import edge.minting
from core.accept.plan import plan_of
from core.accept.records import Recorder, times_of
from core.contract.frames import AcceptCall, HelloOk
from core.contract.ids import mint_keyed, notification_id, parse_id, shard_of
from core.contract.problems import ProblemError, decode_json
from core.contract.recipients import Recipient
from core.contract.requests import NotificationRequest
from core.contract.rules import Rules
from core.engine.payload import decode_payload, placing_country
from core.templates.rendered import Rendered
from edge.minting import Minter, placement_by, placement_of
from edge.notifications import Notifications, RequestLimits
from sync.naming import ids_elsewhere
from sync.placement import Home, Kept, MapBook, PlacementMap, TenantRule, world_map

REGIONS = ("eu", "us", "ap")
WORLD = world_map(REGIONS, 64)
RULED = replace(WORLD, version=2, countries={"US": "us", "JP": "ap"})
NUMBERS = {"DE": "+4915123456789", "US": "+12025550123", "JP": "+819012345678"}
TENANTS = ("acme", "other")
NOW_MS = 1_800_000_000_000
EXPIRES_S = {"otp": 300, "alert": 3600, "transactional": 86_400, "bulk": 259_200}
RULES = Rules(10_000, 30 * 86_400, EXPIRES_S)


def minter() -> Minter:
    return Minter(lambda: NOW_MS, os.urandom)


def people(*addresses: str) -> list[Recipient]:
    return [Recipient(index, "sms", address) for index, address in enumerate(addresses)]


def homes(ids: list[str]) -> list[str]:
    return [one.home for each in ids if (one := parse_id(each)) is not None]


def test_one_request_may_have_messages_in_several_homes() -> None:
    numbers = people(NUMBERS["DE"], NUMBERS["US"], NUMBERS["JP"], "+870773110000")
    placed = placement_by("us", RULED)
    ids, _ = minter().mint(placed, "acme", None, numbers, ["DE", "US", "JP", "ZZ"])
    assert homes(ids) == ["eu", "us", "ap", "eu"]
    shards = [one.shard for each in ids if (one := parse_id(each)) is not None]
    assert shards == [shard_of("acme", one.address, 64) for one in numbers]
    again, _ = minter().mint(placed, "acme", None, numbers, ["DE", "US", "JP", "ZZ"])
    assert not set(ids) & set(again)


def test_a_core_of_an_older_release_is_the_home_of_everything() -> None:
    placed = placement_of(HelloOk("ap", 16, 1, "i"))
    ids, ntf = minter().mint(placed, "acme", "k", people(NUMBERS["DE"]), ["DE"])
    assert ids == [mint_keyed("ap", shard_of("acme", NUMBERS["DE"], 16), "acme", "k", 0)]
    assert ntf == notification_id("acme", "k", b"")


def test_where_nothing_differs_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unasked(*_: object) -> str:
        raise AssertionError("a map of one home was asked")

    monkeypatch.setattr(edge.minting, "home_of", unasked)
    placed = placement_by("eu", world_map(("eu",), 64))
    ids, _ = minter().mint(placed, "acme", None, people(NUMBERS["DE"]), ["DE"])
    assert homes(ids) == ["eu"]


def test_what_this_region_may_not_journal_is_refused_with_those_that_may() -> None:
    narrow = replace(
        RULED,
        groups=WORLD.groups | {"inside": ("eu", "ap")},
        homes=WORLD.homes | {"de": Home("eu", "inside")},
        countries={"DE": "de"},
        tenants={"bank": TenantRule({}, "de", "inside")},
    )
    here, away = placement_by("eu", narrow), placement_by("us", narrow)
    assert homes(minter().mint(here, "acme", None, people(NUMBERS["DE"]), ["DE"])[0]) == ["de"]
    assert homes(minter().mint(away, "acme", None, people(NUMBERS["US"]), ["US"])[0]) == ["eu"]
    for tenant, country in (("acme", "DE"), ("bank", "US")):
        with pytest.raises(ProblemError) as refused:
            minter().mint(away, tenant, None, people(NUMBERS[country]), [country])
        assert refused.value.code == "home_elsewhere"
        assert refused.value.extra == {"home": "de", "regions": ["eu", "ap"]}
    closed = placement_by("us", replace(narrow, default="de", countries={}, tenants={}))
    with pytest.raises(ProblemError):
        minter().mint(closed, "acme", None, people(NUMBERS["US"]), ["US"])


def test_minted_again_it_is_the_same_notification() -> None:
    numbers = people(NUMBERS["DE"], NUMBERS["US"])
    ids, ntf = minter().mint(placement_by("eu", WORLD), "acme", None, numbers, ["DE", "US"])
    call = AcceptCall(7, "acme", None, ntf, ids, ["DE", "US"], "t", b"{}", map_version=1)
    again = minter().mint_again(placement_by("eu", RULED), call, numbers)
    assert homes(again.ids) == ["eu", "us"]
    assert replace(again, ids=ids, map_version=1) == call


# Properties

SMS, EMAIL = {"phone": NUMBERS["DE"]}, {"email": "a@example.com"}
targets = st.one_of(
    st.sampled_from([{"phone": number} for number in NUMBERS.values()]),
    st.just(EMAIL),
    st.sampled_from([{"phone": number, **EMAIL} for number in NUMBERS.values()]),
)
channels = st.sampled_from([None, ["sms", "email"], ["email", "sms"]])
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
some_homes = st.sampled_from(REGIONS)
rules = st.dictionaries(st.sampled_from([*NUMBERS, "ZZ"]), some_homes, max_size=3)
tenant_rules = st.builds(TenantRule, rules, st.sampled_from(["", *REGIONS]))


@st.composite
def histories(draw: st.DrawFn) -> list[PlacementMap]:
    """The versions of a map, as they were published one after the other."""
    made = [WORLD]
    for version in range(2, draw(st.integers(2, 5))):
        tenants = draw(st.dictionaries(st.sampled_from(TENANTS), tenant_rules, max_size=1))
        default, countries = draw(some_homes), draw(rules)
        changed = replace(WORLD, version=version, default=default, countries=countries)
        made.append(replace(changed, tenants=tenants))
    return made


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    channel = draw(channels)
    body: dict[str, Any] = {
        "to": draw(st.lists(targets, min_size=1, max_size=4)),
        "content": {"text": "x", "subject": "y"},
    }
    if channel is not None:
        body["channel"] = channel
    return msgspec.json.encode(body)


def minted(region: str, placement: PlacementMap, tenant: str, key: str, body: bytes) -> AcceptCall:
    """What an edge of the region makes of the request."""
    edges = Notifications(
        cast("Any", None),
        cast("Any", None),
        cast("Any", None),
        RequestLimits(32, 100, RULES),
        minter(),
        wall_ms=lambda: NOW_MS,
    )
    recipients, countries, rejected = edges.check(body)
    placed = placement_by(region, placement)
    ids, ntf = minter().mint(placed, tenant, key, recipients, countries)
    version = placement.version
    return AcceptCall(1, tenant, key, ntf, ids, countries, "t", body, rejected, False, version)


def placing(call: AcceptCall) -> list[str]:
    """By which countries an owner looks for the request's messages, from what was journaled."""
    request = decode_json(call.body, NotificationRequest, max_depth=32)
    plan = plan_of(call, request, RULES, NOW_MS)
    part = Rendered("", 0, "", "x", "y", "")
    recorder = Recorder(
        call,
        request,
        b"h",
        {"sms": part, "email": part},
        times_of(request, 0, NOW_MS, EXPIRES_S, 300),
        NOW_MS,
        b"",
    )
    messages = [recorder.message(plan, place, 1) for place in range(len(plan.ids))]
    return [placing_country(decode_payload(message.payload)) for message in messages]


@given(histories(), st.sampled_from(TENANTS), keys, requests())
def test_two_edges_with_the_same_map_mint_the_same(
    history: list[PlacementMap], tenant: str, key: str, body: bytes
) -> None:
    for placement in history:
        there = minted("us", placement, tenant, key, body)
        assert minted("eu", placement, tenant, key, body) == there
        assert there.ntf == notification_id(tenant, key, b"")


@given(histories(), st.sampled_from(TENANTS), keys, requests(), st.data())
def test_what_another_version_minted_is_looked_for(
    history: list[PlacementMap], tenant: str, key: str, body: bytes, data: st.DataObject
) -> None:
    """Two edges that know any two of the kept versions, and an owner that keeps them all: from the
    record of the one message it gets to the id of the other."""
    book = MapBook([Kept(WORLD)], keys_kept_ms=1000)
    for placement in history:
        assert not book.learn(placement)
    one = minted("eu", data.draw(st.sampled_from(history)), tenant, key, body)
    other = minted("ap", data.draw(st.sampled_from(history)), tenant, key, body)
    for mine, theirs, country in zip(one.ids, other.ids, placing(one), strict=True):
        looked_for = ids_elsewhere(mine, book.homes_of_key(tenant, country))
        assert theirs == mine or theirs in looked_for
