"""The fixed arguments of a bench: the same for every side, and printed with every figure."""

from pathlib import Path

from msgspec import Struct

HOST = "127.0.0.1"
PHONE_HEAD = "+4473"  # with eight digits a valid mobile number each: enough for every run
MAIL_HEAD = "bench"
MAIL_TAIL = "@example.com"
SENDER = "bench@example.com"
TEXT = "GouTong bench: your code is 493021"
SUBJECT = "GouTong bench"


class BenchError(Exception):
    """The bench cannot go on; the text says why and how to mend it."""


class Plan(Struct, frozen=True):
    """What one bench does. `settle_s` is how long after the end CPU still counts; `minutes` and
    `per_second` (the mean) are of the bench that is a whole day."""

    messages: int
    connections: int
    window: int
    smtp_sessions: int
    receipt_delay_ms: int
    runs: int
    warmup_messages: int
    backlog: int
    log_depth: int
    timeout_s: float
    settle_s: float
    cores: int
    peer: bool
    peer_spool: str
    wait_for_minute: bool
    minutes: float
    per_second: float
    folder: Path
