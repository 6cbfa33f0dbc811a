"""What the lean process and its parent say to each other: one JSON object a line.

Parent: RunSpec. Process: Armed (the counters are set, what comes now counts), then RunResult.
"""

from typing import Literal

from msgspec import Struct

Goals = Literal["accepted", "awaited", "receipts", "callbacks", "mails", "hooks"]


class Ports(Struct, frozen=True):
    """First line of the process: where it listens (127.0.0.1) and who it is."""

    pid: int
    smsc: int
    smtp: int
    callbacks: int
    hooks: int


class RunSpec(Struct, frozen=True):
    """One run. `head`, a number of eight digits and `tail` make a request.

    `link_secret` not empty: the requests go over a core's framed link with `depth` calls under way
    on each connection, head and tail make a JSON body instead of an HTTP request, and `recipient`
    is the recipient's address without the number. `host` empty: no load, only count what comes.
    `good` is the status that takes a request.
    Each connection waits `pause_ms` after an answer. The goal "awaited" counts the run's own
    numbers at the SMSC, where they arrive as `recipient` and the number, and times them.
    """

    target: Goals
    count: int
    host: str = ""
    port: int = 0
    head: str = ""
    tail: str = ""
    first: int = 0
    connections: int = 1
    receipt_delay_ms: int = 50
    timeout_s: float = 120.0
    link_secret: str = ""
    tenant: str = ""
    recipient: str = ""
    country: str = "GB"
    depth: int = 1
    good: str = "202"
    pause_ms: int = 0


class Armed(Struct, frozen=True, tag=True):
    """The run has begun; whoever sends the load of a run without a host may start now."""


class RunResult(Struct, frozen=True):
    """What a run saw. Times are seconds since the first request left.

    `first_at` and `reached_at` are readings of CLOCK_MONOTONIC, which all processes share.
    """

    accepted: int
    refused: dict[str, int]
    first_refusal: str
    submits: int
    distinct: int
    receipts: int
    receipts_refused: int
    callbacks: int
    mails: int
    first_at: float
    reached_at: float
    accept_s: float
    reached_s: float
    accept_p50_ms: float
    accept_p99_ms: float
    cpu_s: float
    error: str = ""
    hooks: int = 0
    hook_calls: int = 0
    arrived_p50_ms: float = 0.0
    arrived_p99_ms: float = 0.0
