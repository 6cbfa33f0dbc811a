"""What is true of a message is the join of its records, in any order, and never goes back."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.lattice import DEFINITE_NO, ENDED, RANK, gather, join
from sync.records import End, Intent, Outcome, Place, Receipt, Record, State

LOG = "effect.h.urgent.c1.0"
ATTEMPTS = ("c1-u0-1-0", "c1-u0-2-0")
states = st.sampled_from(sorted(RANK))


def intent(row: int) -> tuple[Place, Record]:
    accept = Place("accept.h.urgent_local.c1.0", 1, 0)
    record = Intent("h-u000x", 0, 1, accept, b"h", "acc", "", 0, 0, False, 9, 0, 0)
    return Place(LOG, row, 0), record


def receipt(attempt: str, part: str, status: str, row: int = 1) -> tuple[Place, Record]:
    place = Place("accept.h.normal_local.c1.0", row, 0)
    return place, Receipt("h-u000x", 0, attempt, "acc", part, status, "", "", 0)


def outcome(attempt: str, kind: str, ids: str = "", row: int = 3) -> tuple[Place, Record]:
    return Place(LOG, row, 0), Outcome("h-u000x", 0, attempt, kind, ids, "", "", 0)


def end(state: State, reason: str = "r", row: int = 9, epoch: int = 1) -> tuple[Place, Record]:
    return Place(LOG, row, 0), End("h-u000x", 0, epoch, None, b"", state, reason, "", 0)


kinds = st.sampled_from([*sorted(DEFINITE_NO), "accepted", "unknown"])
records = st.one_of(
    st.builds(intent, st.sampled_from([1, 2])),
    st.builds(outcome, st.sampled_from(ATTEMPTS), kinds, st.sampled_from(["", "p1", "p1,p2"])),
    st.builds(
        receipt,
        st.sampled_from(ATTEMPTS),
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["delivered", "failed", "expired", "accepted", "unknown"]),
    ),
    st.builds(
        end,
        st.sampled_from(["canceled", "expired", "unknown", "failed"]),
        st.sampled_from(["a", "b"]),
    ),
)
histories = st.lists(records, max_size=9)


@given(states, states, states)
def test_the_laws_of_a_join(a: State, b: State, c: State) -> None:
    assert join(a, b) == join(b, a)
    assert join(a, a) == a
    assert join(a, join(b, c)) == join(join(a, b), c)
    assert RANK[join(a, b)] >= max(RANK[a], RANK[b])


@given(histories, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(
    history: list[tuple[Place, Record]], random: object
) -> None:
    shuffled = [*history, *history[:3]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gather(history)[1] == gather(shuffled)[1]


@given(histories, records)
def test_an_end_never_goes_back(
    history: list[tuple[Place, Record]], more: tuple[Place, Record]
) -> None:
    before, after = gather(history)[1], gather([*history, more])[1]
    if before in ENDED:
        assert RANK[after] >= RANK[before]


def test_evidence_wins() -> None:
    sent = [intent(1), outcome(ATTEMPTS[0], "accepted", "p1")]
    for state in ("unknown", "expired", "canceled"):
        assert gather([*sent, end(state)])[1] == "sent"
    failed = receipt(ATTEMPTS[0], "p1", "failed")
    assert gather([*sent, failed])[1] == "failed"
    assert gather([*sent, failed, receipt(ATTEMPTS[0], "p1", "delivered")])[1] == "delivered"


def test_a_long_message_is_delivered_when_all_its_parts_are() -> None:
    sent = [intent(1), outcome(ATTEMPTS[0], "accepted", "p1,p2")]
    one = [*sent, receipt(ATTEMPTS[0], "p1", "delivered")]
    assert gather(one)[1] == "sent"
    assert gather([*one, receipt(ATTEMPTS[0], "p2", "delivered")])[1] == "delivered"


def test_without_an_answer_nobody_knows_how_many_parts_there_are() -> None:
    early = [intent(1), receipt(ATTEMPTS[0], "p1", "delivered")]
    assert gather(early)[1] == "sent"
    assert gather([*early, outcome(ATTEMPTS[0], "accepted", "p1")])[1] == "delivered"


def test_a_definite_no_is_no_end() -> None:
    assert gather([intent(1)])[1] == "sending"
    assert gather([intent(1), outcome(ATTEMPTS[0], "retryable")])[1] == "queued"
    assert gather([])[1:] == ("accepted", "")


def test_the_reason_of_an_end_is_the_same_in_any_order() -> None:
    both = [end("failed", "temporary"), end("failed", "permanent")]
    assert gather(both)[2] == gather(both[::-1])[2] == "permanent"


def test_an_end_of_a_former_owner_that_the_next_one_did_not_know_counts_for_nothing() -> None:
    late = end("suppressed", "late", epoch=1)
    assert gather([late])[1:] == ("suppressed", "late")
    assert gather([late, end("canceled", row=1, epoch=2)])[1:] == ("canceled", "r")
    place, called = intent(1)
    assert isinstance(called, Intent)
    assert gather([late, (place, replace(called, epoch=2))])[1:] == ("sending", "")
