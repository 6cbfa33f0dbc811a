"""Replays: paced, cancelled, and taken up after a crash without sending anything twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.problems import problem
from core.replay.jobs import Job
from core.replay.pace import CATCH_UP_S, Pace
from tests.support.asking import DAY_MS, START_MS, Asking, Clock
from tests.support.wait import until


@given(st.floats(0.1, 200), st.lists(st.floats(0, 5), max_size=30))
def test_never_faster_than_asked(per_second: float, pauses: list[float]) -> None:
    now, went = 0.0, 0
    pace = Pace(per_second, now)
    for pause in pauses:
        now += pause
        at_once = 0
        while pace.wait_s(now) == 0.0:
            pace.took(now)
            at_once += 1
        went += at_once
        assert went <= per_second * now + 1.001
        assert at_once <= per_second * CATCH_UP_S + 2


@given(st.floats(0.5, 200))
def test_as_fast_as_asked(per_second: float) -> None:
    now, went = 0.0, 0
    pace = Pace(per_second, now)
    while now < 20:
        wait = pace.wait_s(now)
        if wait:
            now += wait
        else:
            pace.took(now)
            went += 1
    assert went >= 20 * per_second - 1


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Asking]:
    made = Asking(tmp_path)
    yield made
    await made.close()


def job(**changes: Any) -> Job:
    made = Job(
        "rpl_1",
        "acme",
        False,
        ["email", "sms"],
        ["failed", "unknown"],
        START_MS - DAY_MS,
        START_MS + DAY_MS,
        10.0,
        "trace",
        START_MS,
        START_MS,
        "c1",
    )
    return msgspec.structs.replace(made, **changes)


async def started(core: Asking, what: Job, ids: list[str] | None = None) -> None:
    core.replays.start(await core.replays.jobs.create(what, ids))


async def now(core: Asking, name: str = "acme/rpl_1") -> Job:
    found = await core.replays.jobs.get(name)
    assert found is not None
    return found.job


async def done(core: Asking) -> Job:
    async def ended() -> bool:
        return (await now(core)).state == "done"

    await until(ended)
    return await now(core)


async def test_a_view_is_sent_again_whole_and_once(core: Asking) -> None:
    failed = [await core.message("failed") for _ in range(40)]
    unknown = await core.message("unknown")
    for state in ("delivered", "sent", "expired"):
        await core.message(state)  # type: ignore[arg-type]
    await core.message("failed", tenant="other")
    await core.message("failed", channel="webhook", kind="event", to="endpoint")
    before = len(await core.accepted())
    began = core.clock.now_s
    await started(core, job())
    found = await done(core)
    assert (found.sent, found.passed_over) == (41, {})
    new = [(m, p) for m, p in await core.accepted() if p.resend_of]
    assert len(await core.accepted()) == before + 41
    assert sorted(p.resend_of for _, p in new) == sorted([*failed, unknown])
    assert len({m.id for m, _ in new}) == 41
    assert all(m.expires_ms > m.accepted_ms >= START_MS and m.shard == 1 for m, _ in new)
    assert core.clock.now_s - began >= 40 / 10 - 0.001  # paced by the clock that it was given


async def test_ids_that_cannot_be_sent_again_are_counted_by_reason(core: Asking) -> None:
    ended = await core.message("failed")
    still_open = await core.message("accepted")
    others = await core.message("failed", tenant="other")
    ids = [ended, "nonsense", others, ended[:-1] + "0"]
    await started(core, job(by_ids=True, place=0), [*ids, still_open])
    found = await done(core)
    assert found.sent == 1
    assert found.passed_over == {"not_found": 3, "not_ended": 1}
    assert len(await core.accepted(ended)) == 1


async def test_what_moved_on_meanwhile_is_passed_over(core: Asking) -> None:
    failed = await core.message("failed")
    await core.message("unknown")

    async def moved(message_id: str) -> Any:
        facts = await core.messages.find(message_id)
        assert facts is not None
        return msgspec.structs.replace(facts, state="delivered") if message_id == failed else facts

    core.replays._find = moved
    await started(core, job())
    found = await done(core)
    assert (found.sent, found.passed_over) == (1, {"moved_on": 1})


@pytest.mark.parametrize("by_ids", [True, False])
async def test_a_crash_sends_nothing_twice_and_leaves_nothing_out(
    tmp_path: Path, by_ids: bool
) -> None:
    clock = Clock()
    first = Asking(tmp_path, "c1", clock)
    ids = [await first.message("failed") for _ in range(60)]
    await started(first, job(by_ids=by_ids, place=0 if by_ids else ""), ids if by_ids else None)

    async def half_way() -> bool:
        return len(await first.accepted()) >= 60 + 25

    await until(half_way)
    await first.crash()
    assert (await now(first)).state == "running"
    second = Asking(tmp_path, "c2", clock)
    await second.replays.watch()
    clock.now_s += 4.0
    await second.replays.watch()
    assert (await now(second)).holder == "c1"  # not silent for long enough
    clock.now_s += 2.0
    await second.replays.watch()
    found = await done(second)
    assert (found.sent, found.passed_over, found.holder) == (60, {}, "c2")
    new = [(m, p) for m, p in await second.accepted() if p.resend_of]
    assert {p.resend_of for _, p in new} == set(ids)
    of_old: dict[str, set[tuple[str, bytes]]] = {}
    for message, payload in new:
        of_old.setdefault(payload.resend_of, set()).add((message.id, message.body_hash))
    # What was written again has the same id and the same body: it is one message.
    assert all(len(names) == 1 for names in of_old.values())
    await first.close()
    await second.close()


async def test_a_job_that_lives_is_left_alone(tmp_path: Path) -> None:
    clock = Clock()
    first, second = Asking(tmp_path, "c1", clock), Asking(tmp_path, "c2", clock)
    ids = [await first.message("failed") for _ in range(30)]
    await started(first, job(by_ids=True, place=0, per_second=1.0), ids)

    async def watched() -> bool:
        await second.replays.watch()
        return (await now(second)).state == "done"

    await until(watched)
    found = await now(second)
    assert (found.holder, found.sent) == ("c1", 30)
    assert len([p for _, p in await first.accepted() if p.resend_of]) == 30
    await first.close()
    await second.close()


async def test_a_cancelled_replay_stops(core: Asking) -> None:
    ids = [await core.message("failed") for _ in range(50)]
    await started(core, job(by_ids=True, place=0), ids)

    async def some() -> bool:
        return len(await core.accepted()) >= 50 + 10

    await until(some)
    stopped = await core.replays.jobs.cancel("acme/rpl_1", core.clock.wall_ms())
    assert stopped is not None
    core.replays.changed("acme/rpl_1")
    await until(lambda: not core.spawned)
    found = await now(core)
    sent = len([p for _, p in await core.accepted() if p.resend_of])
    assert (found.state, found.sent) == ("canceled", sent)
    assert 10 <= sent < 50
    again = await core.replays.jobs.cancel("acme/rpl_1", 1)
    assert again is not None
    assert again.job == found
    assert await core.replays.jobs.cancel("acme/none", 1) is None


async def test_a_full_disk_makes_it_wait_and_say_so(core: Asking) -> None:
    ids = [await core.message("failed") for _ in range(3)]
    core.refuses = problem("storage_full", "no space left")
    await started(core, job(by_ids=True, place=0), ids)

    async def says_so() -> bool:
        return "no space" in (await now(core)).trouble

    await until(says_so)
    core.refuses = None
    found = await done(core)
    assert (found.sent, found.trouble) == (3, "")


async def test_old_jobs_are_taken_away_at_a_start(core: Asking) -> None:
    old = job(id="rpl_old", state="done", updated_ms=START_MS - 46 * DAY_MS)
    await core.replays.jobs.create(old, ["a"])
    await core.replays.jobs.create(job(id="rpl_new", state="done"), None)
    await core.replays.watch()
    assert await core.replays.jobs.all_names() == ["acme/rpl_new"]
    assert await core.replays.jobs.ids(old) == []
    await asyncio.sleep(0)


async def test_its_own_word_is_not_taken_for_another_s(core: Asking) -> None:
    """Many wait for the log at once, and the feed tells of a write before its answer is here."""
    ids = [await core.message("failed") for _ in range(20)]
    jobs, put, send = core.replays.jobs, core.replays.jobs.put, core.again.send
    calls, blocked = 0, True

    async def heard_before_the_answer(what: Job, expect: int) -> Any:
        stored = await put(what, expect)
        core.replays.changed("acme/rpl_1")
        for _ in range(200):
            await asyncio.sleep(0)
        return stored

    async def refused_for_long(*args: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1 and blocked:
            raise problem("overloaded", "The log is behind.")
        core.clock.now_s += 1.0  # what is late is caught up: the next ones go together
        await send(*args, **more)

    jobs.put = heard_before_the_answer  # type: ignore[method-assign]
    core.again.send = refused_for_long  # type: ignore[method-assign]
    await started(core, job(by_ids=True, per_second=20.0, place=0), ids)
    await until(lambda: calls > 400)
    blocked = False
    assert (await done(core)).sent == 20
