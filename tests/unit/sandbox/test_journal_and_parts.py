"""What the SMSC must not forget, and the joining of long messages."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.providers.smpp.udh import read_header, split
from core.sandbox.journal import Journal, MessageClosed, PartTaken, Receipt, Record, Settled
from core.sandbox.parts import Parts


def receipt(token: int) -> Receipt:
    return Receipt(token, 10, 5, f"id{token}", False, (1, 1, "me"), (1, 1, "you"), "head")


def part(
    number: int, total: int = 3, key: str = "k", octets: bytes = b"x", at_ms: int = 0
) -> PartTaken:
    return PartTaken(key, total, number, 0, octets, "+1", "m.1.1", at_ms)


def parts(messages_max: int = 10, bytes_max: int = 1000, wait_ms: int = 1000) -> Parts:
    return Parts(messages_max, bytes_max, wait_ms)


def test_what_is_settled_or_closed_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 1 << 20)
    journal.append([receipt(1), receipt(2), part(1), part(2, key="other")])
    journal.append([Settled(1), MessageClosed("k")])
    journal.close()
    journal = Journal(tmp_path / "j", 1 << 20)
    assert journal.load() == ([receipt(2)], [part(2, key="other")])
    journal.close()


def test_it_is_written_anew_with_what_is_alive_when_it_has_grown(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", 2000)
    alive: dict[int, Record] = {}
    journal.alive = alive.values
    for token in range(1000):
        # As the SMSC does it: alive for its owner only once it is written.
        journal.append([receipt(token), Settled(token - 3)])
        alive[token] = receipt(token)
        alive.pop(token - 3, None)
        assert (tmp_path / "j").stat().st_size < 2600
    journal.close()
    journal = Journal(tmp_path / "j", 2000)
    assert journal.load() == ([receipt(997), receipt(998), receipt(999)], [])
    journal.close()


@given(st.text(min_size=161, max_size=700), st.randoms(use_true_random=False))
def test_parts_in_any_order_make_the_text(text: str, random: object) -> None:
    cut = split(text, 9)
    if len(cut.payloads) < 2:
        return
    order = list(cut.payloads)
    random.shuffle(order)  # type: ignore[attr-defined]
    joining, joined = parts(bytes_max=1 << 20), []
    for payload in order:
        concat, octets = read_header(payload)
        assert concat is not None
        one = PartTaken("k", concat.total, concat.part, cut.data_coding, octets, "+1", None, 0)
        joined.append(joining.add(one, True))
    assert joined[:-1] == [None] * (len(order) - 1)
    last = joined[-1]
    assert last is not None
    assert (last.text, last.accepted) == (text, True)
    assert list(joining.alive()) == []


def test_a_round_with_refusals_is_told_once_and_the_refused_parts_come_again() -> None:
    joining = parts()
    assert joining.add(part(1, octets=b"one "), True) is None
    assert joining.add(part(2, octets=b"two "), False) is None
    refused = joining.add(part(3, octets=b"three"), False)
    assert refused is not None
    assert (refused.text, refused.accepted) == ("one two three", False)
    assert list(joining.alive()) == [part(1, octets=b"one ")]
    assert joining.add(part(2, octets=b"two "), True) is None
    again = joining.add(part(3, octets=b"three"), False)
    assert again is not None
    assert (again.text, again.accepted) == ("one two three", False)
    whole = joining.add(part(3, octets=b"three"), True)
    assert whole is not None
    assert (whole.text, whole.accepted) == ("one two three", True)


def test_a_repeated_part_replaces() -> None:
    joining = parts()
    joining.add(part(1, total=2, octets=b"old "), True)
    joining.add(part(1, total=2, octets=b"new "), True)
    whole = joining.add(part(2, total=2, octets=b"end"), True)
    assert whole is not None
    assert whole.text == "new end"


def test_too_old_too_many_and_too_large_are_given_up_oldest_first() -> None:
    joining = parts(messages_max=2, bytes_max=10, wait_ms=100)
    joining.add(part(1, key="a", at_ms=0), True)
    joining.add(part(1, key="b", at_ms=50), True)
    assert not joining.crowded
    assert joining.expired(99) == ([], [])
    keys, untold = joining.expired(100)
    assert (keys, [each.key for each in untold]) == (["a"], ["a"])
    for key in ("c", "d"):
        joining.add(part(1, key=key, at_ms=60), True)
    assert joining.crowded
    assert joining.expired(61)[0] == ["b"]
    joining.add(part(2, key="d", octets=b"y" * 20), True)
    assert joining.expired(62)[0] == ["c", "d"]
    assert not joining.crowded


def test_who_was_told_already_is_given_up_in_silence() -> None:
    joining = parts(wait_ms=100)
    joining.add(part(1, total=2), True)
    assert joining.add(part(2, total=2), False) is not None
    assert joining.expired(100) == (["k"], [])


def test_restored_parts_go_on() -> None:
    joining = parts()
    joining.restore([part(1, octets=b"one "), part(3, octets=b"three")])
    whole = joining.add(part(2, octets=b"two "), True)
    assert whole is not None
    assert whole.text == "one two three"
