"""Events: made once for each endpoint that wants them, the same whoever makes them."""

import msgspec

from core.contract.ids import mint_unkeyed, parse_id
from core.contract.webhooks import EventType
from core.engine.payload import Payload, decode_payload
from core.webhooks.events import events_of, types_of
from core.webhooks.store import Endpoint
from sync.owner.state import Msg
from sync.records import Outcome, Place, Receipt

ID = mint_unkeyed("local", 7, 1, bytes(16))
PAYLOAD = Payload("acme", "ntf_1", "sms", "+447700900123", "GB", "otp", "local", "trace")
EFFECTS, ACCEPTS = "effect.local.normal.c.0", "accept.local.normal_local.c.0"


def endpoint(name: str, *events: EventType) -> Endpoint:
    return Endpoint("acme", name, "https://example.com", events, True, "", 0, ())


def sent() -> Msg:
    msg = Msg(ID, 7)
    outcome = Outcome(ID, 7, "c-n0-1-0", "accepted", "p1", "", "", 1_000)
    msg.effects.append((Place(EFFECTS, 2, 0), outcome))
    msg.state = "sent"
    return msg


def delivered(msg: Msg, status: str = "delivered") -> Msg:
    receipt = Receipt(ID, 7, "c-n0-1-0", "smsc", "p1", status, "", "", 2_000)
    msg.receipts.append((Place(ACCEPTS, 3, 0), receipt))
    msg.state = "delivered"
    return msg


def test_what_happened_meanwhile_is_told_too() -> None:
    assert types_of(sent()) == {"message.sent": 1_000}
    assert types_of(delivered(sent())) == {"message.sent": 1_000, "message.delivered": 2_000}
    assert types_of(delivered(sent(), "seen")).keys() == {
        "message.sent",
        "message.delivered",
        "message.seen",
    }


def test_each_event_is_made_once_for_each_endpoint_that_wants_it() -> None:
    doors = [endpoint("ep_all"), endpoint("ep_some", "message.delivered")]
    msg = sent()
    first = events_of(msg, PAYLOAD, doors, "local", 5_000)
    assert [decode_payload(each.payload).to for each in first] == ["ep_all"]
    second = events_of(delivered(msg), PAYLOAD, doors, "local", 6_000)
    assert sorted(decode_payload(each.payload).to for each in second) == ["ep_all", "ep_some"]
    assert events_of(msg, PAYLOAD, doors, "local", 7_000) == []


def test_an_endpoint_is_told_of_nothing_that_was_before_it() -> None:
    new = msgspec.structs.replace(endpoint("ep"), created_ms=2_500)
    told = events_of(delivered(sent()), PAYLOAD, [new], "local", 9_000)
    types = [msgspec.json.decode(decode_payload(each.payload).text)["type"] for each in told]
    assert types == ["message.delivered"], "clocks may be a second apart"


def test_the_next_owner_makes_the_same_events() -> None:
    one = events_of(delivered(sent()), PAYLOAD, [endpoint("ep")], "local", 5_000)
    other = events_of(delivered(sent()), PAYLOAD, [endpoint("ep")], "local", 9_000)
    assert [(m.id, m.body_hash) for m in one] == [(m.id, m.body_hash) for m in other]
    assert [decode_payload(m.payload).text for m in one] == [
        decode_payload(m.payload).text for m in other
    ]


def test_an_event_stays_in_the_shard_and_has_the_form_of_the_standard() -> None:
    [event] = events_of(sent(), PAYLOAD, [endpoint("ep")], "local", 5_000)
    named = parse_id(event.id)
    assert named is not None
    assert (named.home, named.shard, named.keyed) == ("local", 7, True)
    body = msgspec.json.decode(decode_payload(event.payload).text)
    assert body["type"] == "message.sent"
    assert body["timestamp"] == "1970-01-01T00:00:01.000Z"
    assert body["data"]["id"] == ID
    assert PAYLOAD.to not in decode_payload(event.payload).text


def test_nothing_is_told_of_events() -> None:
    event = msgspec.structs.replace(PAYLOAD, kind="event")
    assert events_of(sent(), event, [endpoint("ep")], "local", 5_000) == []
