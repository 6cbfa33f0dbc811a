"""The spool of an edge: what it takes, in which order it hands over, and what lets an entry go."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sync.agreed import Refusal
from sync.spool import (
    Answer,
    Bounds,
    Command,
    Entry,
    Erase,
    HandOver,
    KeepRefusal,
    Spool,
    Spooled,
    Unsure,
    Write,
)

BOUNDS = Bounds(
    entries_max=8, bytes_max=1000, batch_entries_max=4, batch_bytes_max=300, retry_s=1.0
)


def entry(name: str, at_ms: int = 0, **fields: Any) -> Entry:
    urgency = fields.pop("urgency", "normal")
    return Entry(name, urgency, fields.pop("size", 10), fields.pop("asked", "local"), 99, at_ms)


def spooled(*entries: Entry) -> Spool:
    spool = Spool(BOUNDS)
    for one in entries:
        assert spool.offer(one) == [Write(one)]
        assert spool.written(one.id) == [Spooled(one.id)]
    return spool


def batch(commands: list[Command]) -> HandOver:
    (command,) = commands
    assert isinstance(command, HandOver)
    return command


def ids(commands: list[Command]) -> list[str]:
    return [one.id for one in batch(commands).entries]


def refused(result: list[Command] | Refusal) -> str:
    assert isinstance(result, Refusal), result
    return result.rule


def test_an_entry_is_answered_for_and_handed_over_only_when_the_disk_has_it() -> None:
    spool = Spool(BOUNDS)
    assert spool.offer(entry("a")) == [Write(entry("a"))]
    assert spool.take(0.0) == []
    assert spool.offer(entry("a")) == []  # the same caller again: one answer for both
    assert spool.written("a") == [Spooled("a")]
    assert spool.written("a") == []
    assert spool.offer(entry("a")) == [Spooled("a")]
    assert ids(spool.take(0.0)) == ["a"]


def test_a_write_that_failed_is_given_up_and_said_to_be_unsure() -> None:
    spool = Spool(BOUNDS)
    spool.offer(entry("a"))
    assert spool.write_failed("a") == [Erase("a"), Unsure("a")]
    assert spool.write_failed("a") == []
    assert (len(spool), spool.bytes_held) == (0, 0)
    assert spool.take(0.0) == []


def test_another_body_under_the_same_id_is_refused() -> None:
    spool = spooled(entry("a"))
    other = Entry("a", "normal", 10, "local", 99, 0, b"other")
    assert refused(spool.offer(other)) == "idempotency_conflict"


def test_bounds_refuse_new_entries_and_drop_no_old_ones() -> None:
    spool = spooled(*(entry(f"e{n}") for n in range(8)))
    assert refused(spool.offer(entry("new", urgency="urgent"))) == "spool_full"
    assert len(spool) == 8
    spool = spooled(entry("big", size=995))
    assert refused(spool.offer(entry("new"))) == "spool_full"
    assert spool.offer(entry("small", size=5)) == [Write(entry("small", size=5))]
    assert len(spool) == 2


def test_what_a_start_finds_on_the_disk_counts_beyond_the_bounds() -> None:
    spool = Spool(BOUNDS)
    found = [entry(f"e{n:02d}", at_ms=n) for n in range(12)]
    spool.recover(found)
    spool.recover(found)
    assert len(spool) == 12
    assert refused(spool.offer(entry("new"))) == "spool_full"
    assert ids(spool.take(0.0)) == ["e00", "e01", "e02", "e03"]


def test_urgent_ones_first_then_the_oldest() -> None:
    spool = spooled(
        entry("n2", 2), entry("n1", 1), entry("u4", 4, urgency="urgent"), entry("n0", 0)
    )
    assert ids(spool.take(0.0)) == ["u4", "n0", "n1", "n2"]


def test_batches_are_bounded_and_one_is_under_way() -> None:
    spool = spooled(*(entry(f"e{n}", n) for n in range(6)))
    assert len(ids(spool.take(0.0))) == 4
    assert spool.take(0.0) == []
    spool = spooled(entry("a", 0, size=200), entry("b", 1, size=200), entry("c", 2))
    first = batch(spool.take(0.0))
    assert [one.id for one in first.entries] == ["a"]
    big = spooled(entry("huge", size=900))
    assert ids(big.take(0.0)) == ["huge"]


def test_an_expired_entry_is_handed_over_like_any_other() -> None:
    old = Entry("old", "normal", 10, "local", expires_ms=1, spooled_at_ms=0)
    spool = spooled(old)
    assert batch(spool.take(1e6)).entries == (old,)


def test_an_entry_leaves_only_at_the_durability_that_was_asked() -> None:
    spool = spooled(entry("l", 0), entry("g", 1, asked="global"), entry("h", 2, asked="global"))
    answers = [
        Answer("l", "acknowledged", "global"),
        Answer("g", "acknowledged", "local"),
        Answer("h", "acknowledged", "global"),
    ]
    assert spool.answered(batch(spool.take(0.0)).batch, answers, 0.0) == [Erase("l"), Erase("h")]
    assert len(spool) == 1
    assert spool.take(0.5) == []
    assert ids(spool.take(1.0)) == ["g"]


def test_a_lost_answer_is_repeated_with_the_same_ids_after_a_pause() -> None:
    spool = spooled(entry("a", 0), entry("b", 1), entry("c", 2), entry("d", 3))
    first = batch(spool.take(0.0))
    spool.lost(first.batch, 0.0)
    assert spool.take(0.9) == []
    again = batch(spool.take(1.0))
    assert again.entries == first.entries[:2]  # smaller, so that one bad entry is found
    assert spool.answered(first.batch, [Answer("a", "acknowledged")], 1.0) == []
    assert len(spool) == 4
    done = [Answer("a", "acknowledged"), Answer("b", "acknowledged")]
    assert spool.answered(again.batch, done, 1.0) == [Erase("a"), Erase("b")]
    assert ids(spool.take(1.0)) == ["c", "d"]


def test_an_entry_that_is_lost_alone_does_not_keep_the_others_back() -> None:
    spool = spooled(entry("bad", 0), entry("good", 1))
    spool.lost(batch(spool.take(0.0)).batch, 0.0)
    second = batch(spool.take(1.0))
    assert [one.id for one in second.entries] == ["bad"]
    spool.lost(second.batch, 1.0)
    spool.lost(second.batch, 1.5)
    third = batch(spool.take(2.0))
    assert [one.id for one in third.entries] == ["good"]
    spool.answered(third.batch, [Answer("good", "acknowledged")], 2.0)
    assert ids(spool.take(3.0)) == ["bad"]


def test_what_is_not_mentioned_is_unknown_and_comes_again() -> None:
    spool = spooled(entry("a", 0), entry("b", 1))
    first = batch(spool.take(0.0))
    assert spool.answered(first.batch, [Answer("a", "acknowledged")], 0.0) == [Erase("a")]
    assert ids(spool.take(1.0)) == ["b"]


def test_a_core_without_room_is_asked_later() -> None:
    spool = spooled(*(entry(f"e{n}", n) for n in range(5)))
    first = batch(spool.take(0.0))
    spool.answered(first.batch, [Answer(one.id, "later") for one in first.entries], 0.0)
    assert spool.take(0.5) == []
    again = batch(spool.take(1.0))
    assert [one.id for one in again.entries] == ["e0", "e1", "e2", "e3"]
    (kept,) = spool.answered(again.batch, [Answer("e0", "refused", reason="key_revoked")], 1.0)
    assert kept == KeepRefusal("e0", "key_revoked", maybe_accepted=False)


@pytest.mark.parametrize("before", ["lost", "weaker", "unmentioned", "restart"])
def test_a_refusal_after_a_try_without_a_known_answer_says_so(before: str) -> None:
    one = entry("a", asked="global")
    spool = spooled(one)
    first = batch(spool.take(0.0))
    if before == "lost":
        spool.lost(first.batch, 0.0)
    elif before == "weaker":
        spool.answered(first.batch, [Answer("a", "acknowledged", "local")], 0.0)
    elif before == "unmentioned":
        spool.answered(first.batch, [], 0.0)
    else:
        spool = Spool(BOUNDS)
        spool.recover([one])
    again = batch(spool.take(9.0))
    refusal = [Answer("a", "refused", reason="residency")]
    assert spool.answered(again.batch, refusal, 9.0) == [KeepRefusal("a", "residency", True)]
    assert len(spool) == 0


def test_a_refusal_of_what_a_core_may_have_taken_before_it_was_spooled_says_so() -> None:
    spool = Spool(BOUNDS)
    spool.offer(entry("a"), tried=True)
    spool.written("a")
    first = batch(spool.take(0.0))
    refusal = [Answer("a", "refused", reason="residency")]
    assert spool.answered(first.batch, refusal, 0.0) == [KeepRefusal("a", "residency", True)]


def test_a_copy_of_a_spooled_entry_that_a_core_may_have_taken_counts_as_a_try() -> None:
    spool = spooled(entry("a"))
    assert spool.offer(entry("a"), tried=True) == [Spooled("a")]
    first = batch(spool.take(0.0))
    refusal = [Answer("a", "refused", reason="residency")]
    assert spool.answered(first.batch, refusal, 0.0) == [KeepRefusal("a", "residency", True)]


class Life(RuleBasedStateMachine):
    """A spool with a disk, crashes, and cores that answer in every way."""

    def __init__(self) -> None:
        super().__init__()
        self.spool = Spool(BOUNDS)
        self.disk: dict[str, Entry] = {}
        self.promised: dict[str, Entry] = {}
        self.stands: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.under_way: HandOver | None = None
        self.now_s = 0.0
        self.names = 0

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Write(one):
                    self.disk[one.id] = one
                case Spooled(name):
                    self.promised[name] = self.disk[name]
                case Erase(name):
                    self.disk.pop(name, None)
                case KeepRefusal(name, reason, _):
                    self.reasons[name] = reason
                    self.disk.pop(name, None)
                case HandOver():
                    self.under_way = command

    @rule(
        urgency=st.sampled_from(["urgent", "normal"]),
        size=st.integers(1, 400),
        asked=st.sampled_from(["local", "global"]),
        fails=st.booleans(),
    )
    def offer(self, urgency: Any, size: int, asked: Any, fails: bool) -> None:
        self.names += 1
        one = Entry(f"e{self.names}", urgency, size, asked, 0, self.names)
        full = len(self.spool) >= 8 or self.spool.bytes_held + size > 1000
        result = self.spool.offer(one)
        assert isinstance(result, Refusal) == full
        if isinstance(result, list):
            self.carry_out(result)
            answer = self.spool.write_failed if fails else self.spool.written
            self.carry_out(answer(one.id))

    @rule(forward_s=st.sampled_from([0.0, 0.5, 1.0, 5.0]))
    def take(self, forward_s: float) -> None:
        self.now_s += forward_s
        commands = self.spool.take(self.now_s)
        if self.under_way is not None:
            assert commands == []
        self.carry_out(commands)
        entries = batch(commands).entries if commands else ()
        assert all(self.disk[one.id] == one for one in entries)
        places = [(one.urgency != "urgent", one.spooled_at_ms) for one in entries]
        assert places == sorted(places)
        assert len(entries) <= 4
        assert len(entries) <= 1 or sum(one.size_bytes for one in entries) <= 300

    @rule(word=st.lists(st.sampled_from(["global", "local", "refused", "later", "-"]), min_size=4))
    def answer(self, word: list[str]) -> None:
        if self.under_way is None:
            return
        answers = []
        for one, said in zip(self.under_way.entries, word, strict=False):
            if said in ("global", "local"):
                answers.append(Answer(one.id, "acknowledged", said))  # type: ignore[arg-type]
                if self.stands.get(one.id) != "global":
                    self.stands[one.id] = said
            elif said != "-":
                answers.append(Answer(one.id, said, reason="limits"))  # type: ignore[arg-type]
        number, self.under_way = self.under_way.batch, None
        self.carry_out(self.spool.answered(number, answers, self.now_s))

    @rule()
    def lose(self) -> None:
        if self.under_way is not None:
            number, self.under_way = self.under_way.batch, None
            self.spool.lost(number, self.now_s)

    @rule()
    def crash(self) -> None:
        self.under_way = None
        self.spool = Spool(BOUNDS)
        self.spool.recover(self.disk.values())

    @invariant()
    def nothing_promised_is_lost(self) -> None:
        for name, one in self.promised.items():
            left = self.stands.get(name) in (one.durability, "global") or name in self.reasons
            assert name in self.disk or left
        assert len(self.spool) == len(self.disk)
        assert self.spool.bytes_held == sum(one.size_bytes for one in self.disk.values())

    def teardown(self) -> None:
        """A core that takes everything empties the spool."""
        self.lose()
        for _ in range(40):
            self.now_s += 5.0
            self.carry_out(self.spool.take(self.now_s))
            self.answer(["global"] * 4)
        assert len(self.spool) == 0


TestLife = Life.TestCase
