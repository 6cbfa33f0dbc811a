"""One writer, rows without a gap, one under way, nothing told before it stands."""

from sync.log_writer import Durable, LogWriter, Refused, WriteRow
from sync.records import Cancel, Place, decode_row

LOG = "accept.h.urgent_local.c1.0"


def record(n: int) -> Cancel:
    return Cancel(f"m{n}", 0, n)


def writer(records_max: int = 10, waiting_max: int = 10, bytes_max: int = 10_000) -> LogWriter:
    return LogWriter(LOG, records_max, bytes_max, waiting_max)


def test_what_arrives_while_a_row_is_under_way_becomes_the_next_row() -> None:
    log = writer()
    log.append(record(1), "one")
    (first,) = log.flush()
    assert isinstance(first, WriteRow)
    assert (first.row, decode_row(first.body), first.again) == (1, [record(1)], False)
    log.append(record(2), "two")
    log.append(record(3), "three")
    assert log.flush() == []
    assert log.under_way_tickets == ["one"]
    durable, second = log.written(1)
    assert durable == Durable([Place(LOG, 1, 0)], [record(1)], ["one"])
    assert isinstance(second, WriteRow)
    assert (second.row, decode_row(second.body)) == (2, [record(2), record(3)])
    assert log.last_row == 1
    assert not log.idle
    (durable,) = log.written(2)
    assert isinstance(durable, Durable)
    assert durable.places == [Place(LOG, 2, 0), Place(LOG, 2, 1)]
    assert log.idle


def test_an_unknown_outcome_is_repeated_under_the_same_number_with_the_same_bytes() -> None:
    log = writer()
    log.append(record(1), None)
    (first,) = log.flush()
    assert isinstance(first, WriteRow)
    log.append(record(2), None)
    assert log.unknown(1) == [WriteRow(LOG, 1, first.body, True)]
    assert log.last_row == 0


def test_late_and_repeated_answers_mean_nothing() -> None:
    log = writer()
    log.append(record(1), None)
    log.flush()
    log.written(1)
    assert log.written(1) == []
    assert log.unknown(1) == []
    assert log.written(7) == []


def test_bounds_of_a_row_and_of_what_waits() -> None:
    log = writer(records_max=2, waiting_max=3)
    assert [log.append(record(n), n) for n in range(4)] == [True, True, True, False]
    (first,) = log.flush()
    assert isinstance(first, WriteRow)
    assert len(decode_row(first.body)) == 2
    assert log.room == 2
    big = writer(bytes_max=300)
    for n in range(5):
        big.append(record(n), n)
    (row,) = big.flush()
    assert isinstance(row, WriteRow)
    assert len(decode_row(row.body)) == 2


def test_a_revoked_log_is_closed_for_good() -> None:
    log = writer(records_max=1)
    log.append(record(1), "under way")
    log.flush()
    log.append(record(2), "waiting")
    refused = log.revoked()
    assert [r.tickets for r in refused if isinstance(r, Refused)] == [["under way"], ["waiting"]]
    assert log.room == 0
    assert not log.append(record(3), None)
    assert log.flush() == log.written(1) == log.unknown(1) == log.revoked() == []
