"""How long a failed connection waits before it is tried again, and the time on a mail."""

from random import Random

from core.clock import SystemClock
from core.providers.smtp import Settings
from core.providers.smtp.adapter import SmtpAdapter
from core.providers.smtp.date import DateHeader
from tests.wire.smtp.harness import Engine


def test_the_backoff_doubles_with_jitter_up_to_its_bound() -> None:
    limits = {"reconnect_min_ms": 100, "reconnect_max_ms": 1_000}
    settings = Settings(host="127.0.0.1", from_address="a@b.c", **limits)
    adapter = SmtpAdapter("acc", settings, {}, Engine(), Random(3), SystemClock())
    for failures, most_s in ((0, 0.1), (1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.0), (16, 1.0)):
        waits = {adapter.backoff_s(failures, 0) for _ in range(200)}
        assert len(waits) > 100
        assert most_s / 2 <= min(waits) < most_s * 0.6
        assert most_s * 0.9 < max(waits) <= most_s
    assert adapter.backoff_s(1, 60_000) == 60.0


def test_the_date_is_written_as_mail_wants_it() -> None:
    class Clock(SystemClock):
        now_ms = 1_763_978_400_999

        def wall_ms(self) -> int:
            return self.now_ms

    clock = Clock()
    header = DateHeader(clock)
    assert header.now() == "Mon, 24 Nov 2025 10:00:00 +0000"
    clock.now_ms += 1
    assert header.now() == "Mon, 24 Nov 2025 10:00:01 +0000"
