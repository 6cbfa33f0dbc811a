"""Ids say what they were made of, and nothing else is an id."""

from hypothesis import given
from hypothesis import strategies as st

from core.contract.ids import (
    MessageId,
    body_hash,
    canonical_request,
    is_home,
    mint_keyed,
    mint_unkeyed,
    notification_id,
    parse_id,
    shard_of,
)
from core.contract.problems import decode_json
from core.contract.requests import NotificationRequest

homes = st.from_regex(r"[a-z][a-z0-9]{0,15}", fullmatch=True)
shards = st.integers(0, 4095)
minutes = st.integers(0, 2**35 - 1)
names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=40)


@given(homes, shards, minutes, st.binary(min_size=16, max_size=64))
def test_an_unkeyed_id_says_home_shard_and_minute(
    home: str, shard: int, minute: int, rnd: bytes
) -> None:
    text = mint_unkeyed(home, shard, minute, rnd)
    assert parse_id(text) == MessageId(home, shard, False, minute)
    assert "." not in text
    assert is_home(home)


@given(homes, shards, names, names, st.integers(0, 10_000))
def test_a_keyed_id_is_the_same_wherever_it_is_minted(
    home: str, shard: int, tenant: str, key: str, item: int
) -> None:
    text = mint_keyed(home, shard, tenant, key, item)
    assert text == mint_keyed(home, shard, tenant, key, item)
    assert parse_id(text) == MessageId(home, shard, True, None)


@given(names, names, names, names)
def test_other_tenants_or_keys_give_other_ids(a: str, b: str, c: str, d: str) -> None:
    same = (a, b) == (c, d)
    assert (mint_keyed("eu", 1, a, b, 0) == mint_keyed("eu", 1, c, d, 0)) is same
    assert (notification_id(a, b, b"") == notification_id(c, d, b"")) is same


def test_items_of_one_key_have_ids_of_their_own() -> None:
    ids = {mint_keyed("eu", 1, "acme", "k", item) for item in range(1000)}
    assert len(ids) == 1000
    assert notification_id("acme", "k", b"")[4:] not in {each[-26:] for each in ids}


@given(minutes, minutes)
def test_ids_of_a_shard_sort_by_minute(a: int, b: int) -> None:
    first, second = mint_unkeyed("eu", 7, a, bytes(16)), mint_unkeyed("eu", 7, b, bytes(16))
    assert (first < second) is (a < b)


@given(st.text(max_size=60))
def test_whatever_is_no_id_is_none(text: str) -> None:
    found = parse_id(text)
    assert found is None or text.startswith(f"{found.home}-")


def test_near_misses_are_no_ids() -> None:
    good = mint_unkeyed("eu", 7, 29_000_000, bytes(16))
    assert parse_id(good)
    for bad in (good[:-1], good + "0", good + "\n", good.upper(), good.replace("-u", "-x"), ""):
        assert parse_id(bad) is None


@given(names, names, st.integers(1, 4096))
def test_a_recipient_has_one_shard(tenant: str, recipient: str, count: int) -> None:
    shard = shard_of(tenant, recipient, count)
    assert 0 <= shard < count
    assert shard == shard_of(tenant, recipient, count)


def test_recipients_spread_over_the_shards() -> None:
    seen = {shard_of("acme", f"+4477009{n:05d}", 64) for n in range(2000)}
    assert seen == set(range(64))


def test_the_shard_is_part_of_the_format_and_must_not_move() -> None:
    assert shard_of("acme", "+447700900123", 64) == 44
    assert (
        mint_keyed("eu", 1, "acme", "k", 0) == "eu-k001" + mint_keyed("us", 9, "acme", "k", 0)[7:]
    )


def test_random_ids_do_not_meet() -> None:
    rnd = [bytes([n, m]) * 13 for n in range(32) for m in range(32)]
    assert len({mint_unkeyed("eu", 0, 1, each) for each in rnd}) == len(rnd)
    assert len({notification_id("t", None, each) for each in rnd}) == len(rnd)


def test_the_canonical_request_ignores_order_and_defaults_written_out() -> None:
    def canonical(body: bytes) -> bytes:
        return canonical_request(decode_json(body, NotificationRequest, max_depth=32))

    short = b'{"to":{"phone":"+447700900123"},"template":"otp","data":{"b":1,"a":{"d":1,"c":2}}}'
    long = (
        b'{"data":{"a":{"c":2,"d":1},"b":1},"class":"transactional", "template" : "otp",'
        b'"durability":"local","to":{"email":null,"phone":"+447700900123"}}'
    )
    other = short.replace(b'"b":1', b'"b":2')
    assert canonical(short) == canonical(long)
    assert body_hash(canonical(short)) == body_hash(canonical(long))
    assert body_hash(canonical(short)) != body_hash(canonical(other))
    assert len(body_hash(b"")) == 16
