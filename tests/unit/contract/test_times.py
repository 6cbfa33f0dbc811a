"""`send_at` is an instant, or refused with the field that is wrong."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contract.times import TimeFault, send_at_ms

BERLIN = "Europe/Berlin"


def instant(send_at: str, time_zone: str | None = None) -> str:
    ms = send_at_ms(send_at, time_zone)
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("send_at", "time_zone", "expected"),
    [
        ("2026-01-31T09:00:00Z", None, "2026-01-31T09:00:00Z"),
        ("2026-01-31t09:00:00z", None, "2026-01-31T09:00:00Z"),
        ("2026-01-31T09:00:00+01:00", None, "2026-01-31T08:00:00Z"),
        ("2026-01-31T09:00:00.25-05:30", None, "2026-01-31T14:30:00.250000Z"),
        ("2026-01-31T09:00:00", BERLIN, "2026-01-31T08:00:00Z"),
        ("2026-07-31T09:00:00", BERLIN, "2026-07-31T07:00:00Z"),
        ("2026-07-31T09:00:00", "UTC", "2026-07-31T09:00:00Z"),
        ("2026-07-31T09:00:00", "Asia/Kathmandu", "2026-07-31T03:15:00Z"),
    ],
)
def test_times(send_at: str, time_zone: str | None, expected: str) -> None:
    assert instant(send_at, time_zone) == expected


def test_a_local_time_that_occurs_twice_is_the_earlier_one() -> None:
    assert instant("2026-10-25T02:30:00", BERLIN) == "2026-10-25T00:30:00Z"
    assert instant("2026-11-01T01:30:00", "America/New_York") == "2026-11-01T05:30:00Z"


def test_a_local_time_that_does_not_occur_is_moved_forward() -> None:
    # 02:30 where the clock goes from 02:00 to 03:00: 03:30.
    assert instant("2026-03-29T02:30:00", BERLIN) == instant("2026-03-29T03:30:00", BERLIN)
    # Half an hour is jumped over here.
    lord_howe = "Australia/Lord_Howe"
    assert instant("2026-10-04T02:10:00", lord_howe) == instant("2026-10-04T02:40:00", lord_howe)


@pytest.mark.parametrize(
    ("send_at", "time_zone", "pointer", "hint"),
    [
        ("soon", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-01-31", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-W05-6T09:00:00Z", None, "/send_at", "2026-01-31T09:00:00"),
        ("20260131T090000Z", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-02-30T09:00:00Z", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-01-31T24:00:00Z", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-01-31T09:00:00+25:00", None, "/send_at", "2026-01-31T09:00:00"),
        ("2026-01-31T09:00:00", None, "/send_at", "time_zone"),
        ("2026-01-31T09:00:00Z", BERLIN, "/time_zone", "offset"),
        ("2026-01-31T09:00:00", "Europe/Berlni", "/time_zone", "Europe/Berlin?"),
        ("2026-01-31T09:00:00", "europe/berlin", "/time_zone", "Europe/Berlin?"),
        ("2026-01-31T09:00:00", "../../etc/passwd", "/time_zone", "Europe/Berlin"),
        ("2026-01-31T09:00:00", "localtime", "/time_zone", ""),
        ("2026-01-31T09:00:00", "", "/time_zone", ""),
        (None, BERLIN, "/time_zone", "Leave it out"),
        ("٢٠٢٦-01-31T09:00:00Z", None, "/send_at", ""),
    ],
)
def test_what_is_no_time(
    send_at: str | None, time_zone: str | None, pointer: str, hint: str
) -> None:
    with pytest.raises(TimeFault) as raised:
        send_at_ms(send_at, time_zone)
    assert raised.value.problem.pointer == pointer
    assert hint in raised.value.problem.hint


offsets = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(timezones=offsets))
def test_every_time_with_an_offset_is_that_instant(at: datetime) -> None:
    millisecond = timedelta(milliseconds=1)
    expected = (at - datetime(1970, 1, 1, tzinfo=UTC)) // millisecond
    assert send_at_ms(at.isoformat(), None) == expected


zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"])
years = (datetime(2024, 1, 1), datetime(2028, 1, 1))  # noqa: DTZ001 - local times


@given(st.datetimes(*years).map(lambda at: at.replace(microsecond=0)), zones)
def test_a_local_time_that_occurs_is_shown_by_clocks_there_and_is_the_first(
    at: datetime, zone: str
) -> None:
    ms = send_at_ms(at.isoformat(), zone)
    there = datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    earlier = datetime.fromtimestamp(ms / 1000 - 3600, ZoneInfo(zone)).replace(tzinfo=None)
    assert there >= at  # later only where that time does not occur
    assert there - at <= timedelta(hours=1)
    assert earlier != at


@given(st.text(max_size=45), st.none() | st.text(max_size=70))
def test_any_text_is_an_instant_or_refused(send_at: Any, time_zone: Any) -> None:
    try:
        assert isinstance(send_at_ms(send_at, time_zone), int)
    except TimeFault as fault:
        assert fault.problem.pointer in ("/send_at", "/time_zone")
        assert fault.problem.hint
