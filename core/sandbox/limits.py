"""Every bound of the sandbox in one place, with its unit in its name."""

from msgspec import Struct


class SandboxLimits(Struct, frozen=True):
    """What the sandbox holds at most, and how long it waits. Defaults suit tests and load alike."""

    history_max: int = 1_000_000
    """Entries of the history kept on disk; the oldest go first, a segment at a time."""
    history_bytes_max: int = 4 << 30
    """Bytes of the history kept on disk; the oldest go first."""
    segment_entries_max: int = 50_000
    """Entries in one file of the history."""
    segment_bytes_max: int = 64 << 20
    """Bytes in one file of the history, but for the entry that crosses the line."""
    page_entries_max: int = 10_000
    """Entries in one answer of the history."""
    page_bytes_max: int = 16 << 20
    """Bytes in one answer of the history; a page holds one entry at least."""
    connections_max: int = 2_000
    """Connections to one provider; more are reset."""
    bind_timeout_ms: int = 30_000
    """An SMPP connection that is not bound by then is closed."""
    smpp_idle_ms: int = 600_000
    """A bound SMPP connection on which nothing comes for so long is closed."""
    smtp_idle_ms: int = 300_000
    """An SMTP connection on which nothing comes for so long gets 421 and is closed."""
    answers_waiting_max: int = 10_000
    """Answers of one SMPP connection held back by `latency_ms`; then it is not read for a while."""
    parts_messages_max: int = 10_000
    """Unfinished long messages; past it the oldest is given up."""
    parts_bytes_max: int = 64 << 20
    """Octets of unfinished long messages; past it the oldest is given up."""
    parts_wait_ms: int = 3_600_000
    """An unfinished long message is given up after this."""
    receipts_max: int = 200_000
    """Receipts not acknowledged yet; past it new messages are answered with 0x14 MSGQFUL."""
    receipt_window: int = 1_000
    """deliver_sm without an answer on one connection."""
    receipt_repeat_ms: int = 2_000
    """A receipt that is refused, or not answered by then, is sent again."""
    receipt_tries_max: int = 1_000
    """A receipt sent so often without being acknowledged is given up."""
    receipt_age_max_ms: int = 259_200_000
    """A receipt older than this is given up."""
    journal_bytes_max: int = 64 << 20
    """The journal of receipts and parts is written anew when it has grown by this much."""
    bounces_max: int = 100_000
    """Bounces that wait to be sent; past it none is added."""
    bounce_repeat_ms: int = 1_000
    """A bounce that was not taken is sent again after this."""
    bounce_tries_max: int = 300
    """A bounce that was not taken so often is given up."""
    mail_bytes_max: int = 25 << 20
    """Size of one e-mail; announced by SIZE, 552 beyond it."""
    mail_recipients_max: int = 1_000
    """Recipients of one e-mail; 452 beyond it."""
    command_bytes_max: int = 4_096
    """Length of one SMTP command line."""
    http_body_bytes_max: int = 64 << 10
    """Body of one request to a provider that is called by HTTP; 413 beyond it."""
    callbacks_max: int = 20_000
    """Messages with callbacks still to be sent; past it new ones are refused as throttled."""
    callback_connections_max: int = 64
    """Callbacks under way at once."""
    callback_timeout_ms: int = 15_000
    """A callback not answered by then is repeated."""
    callback_repeat_ms: int = 1_000
    """First pause before a callback is repeated that was answered 5xx or not at all; it doubles."""
    callback_repeat_max_ms: int = 30_000
    """Longest such pause."""
    callback_tries_max: int = 10
    """A callback sent so often without a good answer is given up."""
    request_bytes_max: int = 64 << 10
    """Body of one request to the HTTP doors."""
