"""Walking through views: each row once, in order, whatever the pages and the bounds."""

import asyncio
import base64
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.views.reader import Asked, Page, ViewReader
from core.views.scan import ReadBounds
from core.views.segments import (
    DAY_MS,
    HOUR_MS,
    Position,
    Row,
    bucket_of,
    encode_rows,
    kind_of,
    list_part,
    read_cursor,
    recipient_hash,
    recipient_part,
    write_cursor,
)
from sync.store.memory_journal import MemoryJournal
from sync.store.port import PutViews, StoreError, ViewRow, ignore

NOW = 1_800_000_000_000
ADDRESS = "+447700900123"
HASHED = recipient_hash("acme", ADDRESS)
EVERY = frozenset(("sent", "failed", "delivered"))


class AsWritten:
    """Nothing has moved on since, but what `moved` says: id to status, "" for a later row."""

    def __init__(self, moved: dict[str, str] | None = None) -> None:
        self.moved = moved or {}
        self.asked: list[int] = []

    async def of(self, rows: list[Row]) -> list[Row | None]:
        self.asked.append(len(rows))
        return [self._of(row) for row in rows]

    def _of(self, row: Row) -> Row | None:
        status = self.moved.get(row.id, row.status)
        return msgspec.structs.replace(row, status=status) if status else None


def row(number: int, status: str, address: str = ADDRESS, channel: str = "sms") -> Row:
    hashed = recipient_hash("acme", address)
    return Row(f"local-k{number:03}", channel, status, "", "otp", NOW, hashed)


def reader_of(
    segments: list[ViewRow],
    truth: AsWritten | None = None,
    bounds: ReadBounds | None = None,
) -> ViewReader:
    store = MemoryJournal("local", 1)
    store.submit(PutViews(segments), ignore)
    store._flush()
    bounds = bounds or ReadBounds(1000, 1000, 1000)
    return ViewReader(store, truth or AsWritten(), bounds, lambda: NOW)


def asked(since_ms: int = NOW - 3 * DAY_MS, until_ms: int = 0, statuses: str = "") -> Asked:
    chosen = frozenset(statuses.split()) or EVERY
    return Asked("acme", frozenset(("sms", "email")), chosen, since_ms, until_ms)


async def walk(reader: ViewReader, what: Asked, limits: list[int], to: str = "") -> list[Page]:
    """All pages, their sizes taken in turn, each from the cursor of the one before."""
    pages: list[Page] = []
    cursor: Position | None = None
    for number in range(10_000):
        limit = limits[number % len(limits)]
        page = await (
            reader.of_recipient(what, to, cursor, limit)
            if to
            else reader.of_tenant(what, cursor, limit)
        )
        assert len(page.rows) <= limit
        pages.append(page)
        if page.next is None:
            return pages
        assert cursor is None or page.next < cursor or page.next.passed > cursor.passed
        cursor = read_cursor(write_cursor(page.next))
        assert cursor == page.next
    raise AssertionError("the walk does not end")


flush = st.tuples(
    st.integers(0, 2 * DAY_MS),
    st.sampled_from(["c1", "c2", "c3"]),
    st.lists(st.sampled_from(["sent", "failed", "delivered"]), min_size=1, max_size=8),
)


def written(flushes: list[tuple[int, str, list[str]]]) -> tuple[list[ViewRow], list[str]]:
    """Segments of several writers, for lists and for one recipient; and the ids, newest first."""
    segments: list[ViewRow] = []
    order: list[tuple[tuple[int, str, int], list[str]]] = []
    seqs = {"c1": 0, "c2": 0, "c3": 0}
    number = 0
    for ago_ms, writer, statuses in flushes:
        at_ms = NOW - ago_ms
        rows: list[Row] = []
        for status in sorted(statuses):
            number += 1
            rows.append(row(number, status))
        for status in sorted(set(statuses)):
            seqs[writer] += 1
            its = [each for each in rows if each.status == status]
            part, kind = list_part("acme", at_ms // HOUR_MS), kind_of("sms", status)
            key = (at_ms, writer, seqs[writer])
            segments.append(ViewRow(part, kind, *key, encode_rows(its)))
            order.append((key, [each.id for each in its]))
        seqs[writer] += 1
        part = recipient_part("acme", bucket_of(HASHED), at_ms // DAY_MS)
        others = [row(900 + n, "sent", f"+44770090{n:04}") for n in range(3)]
        body = encode_rows([*rows[:1], *others, *rows[1:]])
        segments.append(ViewRow(part, "", at_ms, writer, seqs[writer], body))
    order.sort(reverse=True)
    return segments, [each for _, ids in order for each in ids]


@settings(deadline=None)
@given(
    st.lists(flush, max_size=12),
    st.lists(st.integers(1, 7), min_size=1, max_size=4),
    st.tuples(st.integers(1, 60), st.integers(1, 9), st.integers(1, 9)),
)
def test_a_walk_meets_each_row_once_newest_first(
    flushes: list[tuple[int, str, list[str]]], limits: list[int], bounds: tuple[int, int, int]
) -> None:
    segments, ids = written(flushes)

    async def check() -> None:
        reader = reader_of(segments, bounds=ReadBounds(*bounds))
        pages = await walk(reader, asked(), limits)
        assert [each.row.id for page in pages for each in page.rows] == ids
        found = [each for page in pages for each in page.rows]
        assert all(a.after > b.after or a.at_ms == b.at_ms for a, b in pairwise(found))
        for status in EVERY:
            pages = await walk(reader, asked(statuses=status), limits)
            of_status = [each.row for page in pages for each in page.rows]
            assert [each.id for each in of_status] == [
                each for each in ids if each in {r.id for r in of_status}
            ]
            assert {each.status for each in of_status} <= {status}
        pages = await walk(reader, asked(), limits, to=ADDRESS)
        its = [each.row.id for page in pages for each in page.rows]
        assert sorted(its) == sorted(ids)

    asyncio.run(check())


@settings(deadline=None)
@given(st.lists(flush, min_size=1, max_size=8), st.integers(0, DAY_MS), st.integers(0, DAY_MS))
def test_since_and_until_cut_exactly(
    flushes: list[tuple[int, str, list[str]]], since_ago: int, until_ago: int
) -> None:
    segments, ids = written(flushes)
    times = {
        each.id: segment.at_ms
        for segment in segments
        if segment.kind
        for each in msgspec.msgpack.decode(segment.body, type=list[Row])
    }
    since, until = NOW - since_ago, NOW - until_ago

    async def check() -> None:
        reader = reader_of(segments)
        for to in ("", ADDRESS):
            pages = await walk(reader, asked(since, until), [3], to=to)
            found = {each.row.id for page in pages for each in page.rows}
            assert found == {each for each in ids if since <= times[each] < until}

    asyncio.run(check())


def one(at_ms: int, seq: int, rows: list[Row], status: str = "sent") -> ViewRow:
    body = encode_rows(rows)
    return ViewRow(
        list_part("acme", at_ms // HOUR_MS), kind_of("sms", status), at_ms, "c1", seq, body
    )


async def test_what_moved_on_is_left_out() -> None:
    rows = [row(1, "sent"), row(2, "sent"), row(3, "sent")]
    truth = AsWritten({rows[0].id: "delivered", rows[1].id: ""})
    reader = reader_of([one(NOW, 1, rows)], truth)
    page = await reader.of_tenant(asked(statuses="sent"), None, 10)
    assert [each.row.id for each in page.rows] == [rows[2].id]
    page = await reader.of_tenant(asked(), None, 10)
    assert [(each.row.id, each.row.status) for each in page.rows] == [
        (rows[0].id, "delivered"),
        (rows[2].id, "sent"),
    ]


async def test_a_message_stands_once_on_a_page() -> None:
    twice = [one(NOW - 5, 1, [row(1, "sent")]), one(NOW, 2, [row(1, "sent"), row(2, "sent")])]
    page = await reader_of(twice).of_tenant(asked(), None, 10)
    assert [(each.row.id, each.at_ms) for each in page.rows] == [
        ("local-k001", NOW),
        ("local-k002", NOW),
    ]


async def test_a_page_is_looked_up_in_one_go() -> None:
    truth = AsWritten()
    reader = reader_of([one(NOW - n, n, [row(n, "sent")]) for n in range(1, 5)], truth)
    page = await reader.of_tenant(asked(), None, 4)
    assert len(page.rows) == 4
    assert truth.asked == [4]


@pytest.mark.parametrize("bounds", [ReadBounds(2, 99, 99), ReadBounds(99, 1, 99)])
async def test_a_bounded_page_ends_early_and_goes_on(bounds: ReadBounds) -> None:
    segments = [one(NOW - n * HOUR_MS, n, [row(n, "sent")]) for n in range(1, 40)]
    pages = await walk(reader_of(segments, bounds=bounds), asked(), [100])
    assert len(pages) > 10
    assert len([each for page in pages for each in page.rows]) == 39


async def test_another_tenant_and_another_channel_see_nothing() -> None:
    reader = reader_of([one(NOW, 1, [row(1, "sent")])])
    for other in (
        Asked("other", frozenset(("sms",)), EVERY, NOW - DAY_MS),
        Asked("acme", frozenset(("email",)), EVERY, NOW - DAY_MS),
        Asked("acme", frozenset(), EVERY, NOW - DAY_MS),
    ):
        assert await reader.of_tenant(other, None, 10) == Page([], None)


async def test_a_damaged_segment_is_a_failing_store() -> None:
    part, kind = list_part("acme", NOW // HOUR_MS), kind_of("sms", "sent")
    reader = reader_of([ViewRow(part, kind, NOW, "c1", 1, b"\xc1")])
    with pytest.raises(StoreError, match="damaged"):
        await reader.of_tenant(asked(), None, 10)


cursors = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=40).map(lambda body: base64.urlsafe_b64encode(body).decode()),
    st.tuples(
        st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.none()),
        st.one_of(st.text(max_size=200), st.integers(0, 9)),
        st.integers(-5, 1 << 63),
        st.integers(-5, 1 << 63),
    ).map(lambda parts: base64.urlsafe_b64encode(msgspec.msgpack.encode(parts)).decode()),
)


@settings(deadline=None)
@given(cursors)
def test_hostile_cursors_are_refused_or_harmless(text: str) -> None:
    place = read_cursor(text)
    if place is None:
        return

    async def check() -> None:
        reader = reader_of([one(NOW, 1, [row(1, "sent")])])
        page = await reader.of_tenant(asked(), place, 10)
        assert len(page.rows) <= 1
        await reader.of_recipient(asked(), ADDRESS, place, 10)

    asyncio.run(check())


@given(st.integers(0, 1 << 50), st.text(max_size=20), st.integers(0, 999), st.integers(0, 999))
def test_cursors_come_back_as_they_were(at_ms: int, writer: str, seq: int, passed: int) -> None:
    place = Position(at_ms, writer, seq, passed)
    assert read_cursor(write_cursor(place)) == place
