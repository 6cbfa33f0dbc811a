"""What a provider adapter is to the rest of the core.

An adapter speaks one wire for one configured account. The engine asks it how many calls it can
take at once (`capacity`), holds a place, writes the intent, and then hands over a `Call`. The
adapter promises:

* `call.guard()` is asked in the same turn of the event loop as the first byte that can have an
  effect, with the connection in hand and its buffer empty. If it says no, nothing is written and
  the outcome is `withdrawn`.
* `call.done(outcome)` is called exactly once for each call, whatever happens: an answer, a
  refusal, a lost link, the time-out. Before the first effective byte a loss is `not_sent`; after
  it, it is `unknown`.
* An answer that comes after `done(unknown)` was told is handed to `events.late(ref, outcome)`.
* A receipt is acknowledged to the provider only after `ReceiptIn.ack()` was called, and refused
  for now (so that the provider repeats it) on `ReceiptIn.nack()`.

Adapters neither retry nor choose; they classify what the provider said (DESIGN.md 5).
"""

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

OutcomeKind = Literal[
    "accepted",  # the provider took it; `provider_id` names it there
    "retryable",  # the provider documents that nothing was sent; the same call may be repeated
    "throttled",  # nothing was sent; come back after `wait_ms`
    "permanent",  # nothing was sent and this message will never be taken by this account
    "invalid_target",  # nothing was sent; the contact point does not exist
    "account_fault",  # nothing was sent; the account is at fault: take it out
    "not_sent",  # the effective byte never left: no connection, or given up before it
    "withdrawn",  # the guard said no; nothing was written
    "unknown",  # written, and no answer: time-out, reset, link lost
]

DEFINITE_NO: frozenset[str] = frozenset(
    {
        "retryable",
        "throttled",
        "permanent",
        "invalid_target",
        "account_fault",
        "not_sent",
        "withdrawn",
    }
)


class Outcome(Struct, frozen=True, gc=False):
    """What came of one call. `detail` is for people and holds no secret and no recipient."""

    kind: OutcomeKind
    provider_id: str = ""
    code: str = ""
    detail: str = ""
    wait_ms: int = 0


class OutMessage(Struct, frozen=True, gc=False):
    """One message as the wire needs it, rendered. `ref` is "message.attempt.epoch".

    `provider_key` is the same for every repeat that the provider is to recognise, "" where its
    wire declares no `Idempotency`. `raw` says that `text` is the whole body as the wire sends it
    (an event for a webhook endpoint); `signing` are secrets that come before the account's own,
    newest first. `unsubscribe_url` is the signed one-click link, "" where there is none. `event_id`
    is the id under which an event is told, the same when it is told again as a new message.
    """

    ref: str
    to: str
    sender: str = ""
    text: str = ""
    subject: str = ""
    html: str = ""
    valid_for_ms: int = 0
    created_ms: int = 0
    message_class: str = ""
    provider_key: str = ""
    raw: bool = False
    signing: tuple[str, ...] = ()
    unsubscribe_url: str = ""
    event_id: str = ""


class Call(Struct, gc=False):
    """One call to a provider: asked by `guard`, answered by `done`."""

    message: OutMessage
    guard: Callable[[], bool]
    done: Callable[[Outcome], None]


ReceiptStatus = Literal[
    "delivered", "failed", "expired", "accepted", "unknown", "seen", "complained"
]


class ReceiptIn(Struct, gc=False):
    """A receipt as it came in.

    `provider_id` is normalised (`Adapter.same_id` form); `ref` is the attempt's name where the
    wire carries it back, else "". `status` "accepted" is an intermediate report; "unknown" is a
    word that we do not know, kept in `code`. "seen" and "complained" are engagement: they prove
    that it was delivered.
    """

    provider_id: str
    status: ReceiptStatus
    ack: Callable[[], None]
    nack: Callable[[], None]
    ref: str = ""
    code: str = ""
    detail: str = ""
    at_ms: int = 0


class Idempotency(Struct, frozen=True):
    """How long the provider recognises a repeated key."""

    window_ms: int
    key_bytes_max: int


class Capabilities(Struct, frozen=True):
    """What an adapter can do, declared once in its module."""

    wire: str
    channel: str
    formats: tuple[str, ...]  # of "text", "html", "subject"
    text_chars_max: int
    receipts: bool
    reference: bool  # the wire can carry the attempt's name and bring it back or show it
    idempotency: Idempotency | None = None
    # Whose answers are heard: the account's provider, or each recipient's own server. In the
    # second case nothing follows from one call for others: no pause, no circuit, no quality.
    answers_for: Literal["account", "recipient"] = "account"


class Callback(Struct, frozen=True, gc=False):
    """What a provider sent to /v1/receipts/{account}. `url` is the path with its query as called;
    names of headers are in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class CallbackAnswer(Struct, frozen=True):
    """What the provider is answered; receipts are acknowledged or refused through themselves."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"
    receipts: tuple[ReceiptIn, ...] = ()


@runtime_checkable
class TakesCallbacks(Protocol):
    """An adapter whose provider reports back by HTTP."""

    def callback(self, callback: Callback) -> CallbackAnswer:
        """Verify and read it. `status` is what is answered once all `receipts` are acknowledged;
        one that is refused makes the answer 503, so that the provider repeats it."""


class AdapterEvents(Protocol):
    """What an adapter tells the engine, always from the event loop's thread."""

    def receipt(self, receipt: ReceiptIn) -> None: ...

    def late(self, ref: str, outcome: Outcome) -> None: ...

    def changed(self) -> None:
        """Capacity or state changed: places may be free, a link is up or down."""

    def fault(self, detail: str) -> None:
        """The account itself is refused (bad password, barred). It stays out until edited."""


class Adapter(Protocol):
    """One configured account on one wire."""

    capabilities: Capabilities

    async def start(self) -> None:
        """Begin to connect in the background; returns at once and never raises for a dead peer."""

    async def stop(self, grace_ms: int) -> None:
        """Take no more calls, let those under way end within the grace, then close by reset."""

    def capacity(self) -> int:
        """How many calls may be under way now; 0 while there is no working connection."""

    def state(self) -> str:
        """`up`, `connecting`, `down: <why>` or `fault: <why>`; for people."""

    def submit(self, call: Call) -> None:
        """Carry out one call. At most `capacity()` may be under way; more end as `not_sent`."""
