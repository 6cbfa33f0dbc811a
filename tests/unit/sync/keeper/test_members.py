"""Who may be revoked, who is gone, where logs end, and what is told of the own lease."""

from hypothesis import given
from hypothesis import strategies as st

from sync.keeper.balance import Core
from sync.keeper.members import (
    Beat,
    Members,
    ReadEnd,
    ReadLease,
    Revoke,
    Timing,
    isolated,
    leaving,
    renewal,
)
from sync.lease import Holder, Lease, Renew
from sync.store.port import Registered

LOG = "accept.eu.normal_local.b.1"


def members(closes_revoked: bool = False) -> Members:
    made = Members("a", "eu", Timing(), closes_revoked)
    made.registry_read([Registered("a", "eu", "", []), Registered("b", "us", "", [LOG])])
    return made


def lease(counter: int, state: str = "active", rows: dict[str, int] | None = None) -> Lease:
    return Lease("b", counter, f"n{counter}", state, 3, rows or {})  # type: ignore[arg-type]


def known(closes_revoked: bool = False) -> Members:
    """One who saw b's first lease at 10.0."""
    made = members(closes_revoked)
    made.leases_read([lease(1)], 10.0)
    assert made.step(10.0) == []
    return made


def test_revoked_is_the_row_that_was_waited_for_and_nothing_of_it_is_lost() -> None:
    made = known()
    assert made.step(14.24) == []
    (revoke,) = made.step(14.25)
    assert revoke == Revoke(lease(1), Lease("b", 1, "n1", "revoked", 3))
    assert made.step(14.3) == []  # the answer is out
    assert not made.dead("b")
    assert isinstance(revoke, Revoke)
    made.revoke_answered(revoke, lease(2), 14.4)  # it renewed meanwhile
    assert not made.dead("b")
    assert made.step(18.6) == []
    (again,) = made.step(18.66)
    assert isinstance(again, Revoke)
    made.revoke_answered(again, again.lease, 18.7)
    assert made.dead("b")
    assert made.map_versions() == []


def test_what_became_of_an_unknown_revocation_is_read() -> None:
    made = known()
    (revoke,) = made.step(15.0)
    assert isinstance(revoke, Revoke)
    made.revoke_answered(revoke, None, 15.1)
    assert ReadLease("b") in made.step(15.2)
    made.lease_not_read("b")
    made.lease_read("b", lease(1, "revoked"), 15.3)
    assert made.dead("b")


def test_a_counter_known_from_a_beat_alone_is_read_before_it_is_revoked() -> None:
    made = known()
    assert made.heard(Beat("b", 1, 2, "us"), 11.0)
    assert made.step(15.25) == [ReadLease("b")]
    made.lease_read("b", lease(2), 15.3)
    (revoke,) = made.step(15.3)
    assert isinstance(revoke, Revoke) and revoke.expect == lease(2)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=40))
def test_a_stale_beat_moves_no_revocation(beats: list[tuple[int, int]]) -> None:
    """Each beat is one second after the last; the wait runs from the first sight of the counter."""
    made = known()
    seq, counter, seen_at, now = 0, 1, 10.0, 10.0
    for beat_seq, beat_counter in beats:
        now += 1.0
        fresh = made.heard(Beat("b", beat_seq, beat_counter, "us"), now)
        assert fresh == (beat_seq > seq)
        if fresh:
            seq = beat_seq
            if beat_counter > counter:
                counter, seen_at = beat_counter, now
        made.lease_read("b", lease(counter), now)
        due = [c for c in made.step(now) if isinstance(c, Revoke)]
        assert bool(due) == (now - seen_at >= 4.25)
        for revoke in due:
            made.revoke_answered(revoke, lease(counter), now)


def test_nobody_comes_back() -> None:
    made = known()
    made.lease_read("b", lease(1, "revoked"), 12.0)
    assert not made.heard(Beat("b", 9, 9, "us"), 12.1)
    made.leases_read([lease(1)], 12.2)
    assert made.dead("b")
    assert made.cores(12.2) == []
    assert made.step(99.0) == []


def test_one_who_is_missing_among_the_active_is_read_at_once() -> None:
    made = known()
    made.leases_read([], 11.0)
    assert made.step(11.0) == [ReadLease("b")]


def test_one_without_a_lease_lives_as_long_as_it_beats() -> None:
    made = members()
    assert made.step(10.0) == [ReadLease("b")]
    made.lease_read("b", None, 10.0)
    assert not made.dead("b")
    made.heard(Beat("b", 5, 0, "us"), 25.0)
    made.heard(Beat("b", 5, 0, "us"), 44.0)  # repeated: says nothing
    assert made.step(44.9) == []
    assert made.step(45.0) == [Revoke(None, Lease("b", 0, "", "revoked"))]


def test_a_log_ends_where_the_lease_of_one_that_left_says() -> None:
    made = known()
    made.lease_read("b", lease(1, "left", {LOG: 7}), 12.0)
    assert made.step(12.0) == []
    assert made.ends == {LOG: 7}


def test_a_log_of_a_revoked_one_stays_open_until_no_row_can_turn_up() -> None:
    made = known()
    made.region_closed("us")  # b lived then: this says nothing of it
    made.lease_read("b", lease(1, "revoked"), 12.0)
    assert made.step(12.0) == []
    made.region_closed("us")
    assert made.step(13.0) == [ReadEnd(LOG)]
    made.end_read(LOG, None)
    assert made.step(14.0) == [ReadEnd(LOG)]
    made.end_read(LOG, 4)
    assert made.ends == {LOG: 4}
    sure = known(closes_revoked=True)
    sure.lease_read("b", lease(1, "revoked"), 12.0)
    assert sure.step(12.0) == [ReadEnd(LOG)]


def test_cores_say_who_drains_and_who_is_silent() -> None:
    made = known()
    assert made.cores(10.0) == [Core("b", "us")]
    made.heard(Beat("b", 1, 1, "us", draining=True), 11.0)
    assert made.cores(12.9) == [Core("b", "us", draining=True)]
    assert made.cores(13.0) == [Core("b", "us", draining=True, silent=True)]
    assert made.map_versions() == [3]


def test_the_own_lease_keeps_its_map_version_and_leaves_with_its_last_rows() -> None:
    own = Lease("a", 1, "n1", "active", 3)
    assert renewal(own, Renew(1, 2, "n2"), 4) == Lease("a", 2, "n2", "active", 4)
    assert renewal(own, Renew(1, 2, "n2"), 1).map_version == 3
    assert leaving(own, {LOG: 2}) == Lease("a", 1, "n1", "left", 3, {LOG: 2})


def test_isolated_is_who_lives_and_could_not_renew_for_long() -> None:
    holder = Holder(4.0, 1.0)
    assert not isolated(holder, 100.0, 104.9, 5.0)
    assert isolated(holder, 100.0, 105.0, 5.0)
    holder.ask(105.0, "n1")
    holder.answered(True, Lease("a", 1, "n1", "active"))
    assert not isolated(holder, 100.0, 109.9, 5.0)
    assert isolated(holder, 100.0, 110.0, 5.0)
    holder.ask(111.0, "n2")
    holder.answered(False, Lease("a", 1, "n1", "revoked"))
    assert not isolated(holder, 100.0, 120.0, 5.0)
