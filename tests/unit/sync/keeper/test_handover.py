"""A hand-over ends with the row, whatever became of its swaps."""

from hypothesis import given
from hypothesis import strategies as st

from sync.keeper.handover import (
    Command,
    Forget,
    Giving,
    ReadRow,
    Resume,
    StopSending,
    Swap,
    WriteFloor,
)
from sync.store.port import ShardRow

ROW = ShardRow(3, "me", 5)
THEIRS = ShardRow(3, "you", 6)
OURS = ShardRow(3, "me", 6)


def swapping() -> Giving:
    giving = Giving(ROW, "you")
    assert giving.start(10.0) == [StopSending(3)]
    assert giving.calls_ended() == [WriteFloor(3)]
    assert giving.floor_written() == [Swap(ROW, "you")]
    return giving


def test_the_plain_way() -> None:
    giving = swapping()
    assert giving.told(THEIRS) == [Forget(THEIRS)]
    assert giving.step(99.0) == []


def test_a_call_that_does_not_end_holds_the_shard_for_two_seconds() -> None:
    giving = Giving(ROW, "you")
    giving.start(10.0)
    assert giving.step(11.9) == []
    assert giving.step(12.0) == [WriteFloor(3)]
    assert giving.calls_ended() == []


def test_an_unknown_answer_is_read_and_the_old_row_is_swapped_again() -> None:
    giving = swapping()
    assert giving.told(None) == []
    assert giving.step(11.0) == [ReadRow(3)]
    assert giving.step(11.1) == []
    assert giving.told(ROW) == []
    assert giving.step(11.2) == [Swap(ROW, "you")]
    assert giving.told(None) == []
    assert giving.step(11.3) == [ReadRow(3)]
    assert giving.told(THEIRS) == [Forget(THEIRS)]


def test_given_up_it_takes_the_shard_anew_before_it_sends() -> None:
    giving = swapping()
    assert giving.give_up() == [Swap(ROW, "me")]
    assert giving.give_up() == []
    assert giving.told(ROW) == []  # read before the swap came
    assert giving.step(12.0) == [Swap(ROW, "me")]
    assert giving.told(OURS) == [Resume(OURS)]


def test_given_up_before_the_swap_it_takes_it_anew_too() -> None:
    giving = Giving(ROW, "you")
    giving.start(10.0)
    giving.calls_ended()
    assert giving.step(19.9) == []
    assert giving.step(20.0) == [Swap(ROW, "me")]
    assert giving.floor_written() == []


def test_the_swap_to_the_other_may_win_over_giving_up() -> None:
    giving = swapping()
    giving.give_up()
    assert giving.told(THEIRS) == [Forget(THEIRS)]


def test_what_was_anothers_in_between_is_not_simply_gone_on_with() -> None:
    """The other got it, and gave it back, before anything was heard of that."""
    giving, later = swapping(), ShardRow(3, "me", 7)
    giving.told(None)
    assert giving.told(later) == [Forget(later)]


@given(st.lists(st.integers(0, 7), max_size=60), st.integers(0, 1))
def test_it_never_sends_under_the_old_epoch_and_always_comes_to_an_end(
    events: list[int], at: int
) -> None:
    """Swaps are lost, late or answered in any order; then everything is answered."""
    giving = Giving(ROW, "you")
    row, out, now = ROW, [], 10.0
    ended: list[Command] = []

    def carry_out(commands: list[Command]) -> None:
        out.extend(c for c in commands if isinstance(c, Swap | ReadRow))
        ended.extend(c for c in commands if isinstance(c, Resume | Forget))

    def apply(swap: Swap) -> ShardRow:
        nonlocal row
        if row == swap.row:
            row = ShardRow(row.shard, swap.owner, row.epoch + 1)
        return row

    carry_out(giving.start(now))
    for event in [*events, *[1, 2, 4, 3] * 12]:
        now += 0.5
        first = out[min(at, len(out) - 1)] if out else None
        if event == 0:
            carry_out(giving.give_up())
        elif event == 1:
            carry_out(giving.calls_ended())
        elif event == 2:
            carry_out(giving.floor_written())
        elif event in (3, 4) and first is not None:
            out.remove(first)
            carry_out(giving.told(apply(first) if isinstance(first, Swap) else row))
        elif event == 5 and isinstance(first, Swap):
            carry_out(giving.told(None))  # and it stays in `out`: applied later, perhaps
        elif event == 6 and isinstance(first, Swap):
            apply(first)  # nobody hears of it
        if event in (3, 7):
            carry_out(giving.step(now))
    assert len(ended) == 1
    (end,) = ended
    assert isinstance(end, Resume | Forget)
    for swap in [c for c in out if isinstance(c, Swap)]:
        apply(swap)
    assert end.row == row
    assert isinstance(end, Resume) == (row == OURS)
