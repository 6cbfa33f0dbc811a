"""The right of a holder, and when a watcher may end it."""

from sync.lease import Holder, Lease, Renew, Watch


def lease(counter: int, nonce: str, state: str = "active") -> Lease:
    return Lease("c1", counter, nonce, state)  # type: ignore[arg-type]


def held() -> Holder:
    holder = Holder(4.0, 1.0)
    assert holder.ask(10.0, "n1") == Renew(0, 1, "n1")
    holder.answered(True, lease(1, "n1"))
    return holder


def test_the_right_runs_from_before_the_request() -> None:
    holder = Holder(4.0, 1.0)
    assert holder.left_s(10.0) < 0
    holder.ask(10.0, "n1")
    assert holder.left_s(10.0) < 0
    holder.answered(True, lease(1, "n1"))  # however late the answer came
    assert holder.left_s(13.0) == 1.0
    assert holder.left_s(14.5) == -0.5


def test_it_renews_in_time_and_never_twice_at_once() -> None:
    holder = held()
    assert not holder.due(10.9)
    assert holder.due(11.0)
    assert holder.ask(11.0, "n2") == Renew(1, 2, "n2")
    assert not holder.due(20.0)
    holder.failed()
    assert holder.due(20.0)


def test_an_unknown_answer_gives_nothing() -> None:
    holder = held()
    holder.ask(11.0, "n2")
    holder.failed()
    assert holder.left_s(13.0) == 1.0
    assert holder.ask(12.0, "n3") == Renew(1, 2, "n3")


def test_a_refusal_that_shows_a_lost_request_is_its_answer() -> None:
    holder = held()
    holder.ask(11.0, "n2")
    holder.failed()
    holder.ask(12.0, "n3")
    holder.answered(False, lease(2, "n2"))
    assert not holder.lost
    assert holder.counter == 2
    assert holder.left_s(12.0) == 3.0  # from 11.0, not from 12.0


def test_a_request_applied_late_is_found_among_several_unsure_ones() -> None:
    holder = held()
    for second, nonce in ((11.0, "n2"), (12.0, "n3"), (13.0, "n4")):
        holder.ask(second, nonce)
        holder.failed()
    holder.ask(13.5, "n5")
    holder.answered(False, lease(2, "n3"))
    assert holder.left_s(13.5) == 12.0 + 4.0 - 13.5


def test_nothing_is_lost_by_a_refusal_that_shows_the_row_as_it_was() -> None:
    holder = held()
    holder.ask(11.0, "n2")
    holder.answered(False, lease(1, "n1"))
    assert not holder.lost
    assert holder.left_s(11.0) == 3.0


def test_a_stranger_in_the_row_or_a_revocation_ends_it() -> None:
    for shown in (lease(2, "of somebody else"), lease(1, "n1", "revoked"), None):
        holder = held()
        holder.ask(11.0, "n2")
        holder.answered(False, shown)
        assert holder.lost
        assert holder.left_s(11.0) < 0
        assert not holder.due(99.0)


def test_a_first_request_whose_answer_was_lost() -> None:
    holder = Holder(4.0, 1.0)
    holder.ask(10.0, "n1")
    holder.failed()
    assert holder.ask(11.0, "n2") == Renew(0, 1, "n2")
    holder.answered(False, lease(1, "n1"))
    assert holder.counter == 1
    assert holder.left_s(11.0) == 3.0


def test_a_counter_that_stands_still_for_length_and_epsilon() -> None:
    watch = Watch(4.0, 0.25)
    watch.saw(lease(1, "n1"), 0.0)
    watch.saw(lease(1, "n1"), 3.0)
    assert watch.expired(4.24) == []
    assert watch.expired(4.25) == [("c1", 1)]
    watch.saw(lease(2, "n2"), 4.0)
    assert watch.expired(8.2) == []
    watch.saw(lease(1, "n1"), 5.0)  # an old beat
    assert watch.expired(8.25) == [("c1", 2)]
    watch.saw(lease(2, "n2", "revoked"), 8.3)
    assert watch.expired(99.0) == []
