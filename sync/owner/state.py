"""What the owner keeps in memory of a message, and the commands that it gives to its shell."""

from enum import IntEnum
from typing import Any

from msgspec import Struct

from sync.lattice import possibly_twice
from sync.naming import attempt_name, home_of
from sync.owner.follow import Reached
from sync.records import (
    Cancel,
    EffectRecord,
    End,
    Intent,
    Message,
    Outcome,
    Place,
    Receipt,
    Record,
    State,
)
from sync.store.port import ByIdRow, OpenRow

# Reasons of the end of a message that gave way to one with the same key under another home.
GAVE_WAY = "same_key_elsewhere"
OTHER_BODY = "idempotency_conflict"


class Phase(IntEnum):
    """Where a message stands with its owner."""

    LOOKUP = 0  # asked by id whether it is known
    NOTING = 1  # its first by-id row is being written (keyed ids)
    OFFERED = 2  # the dispatcher has it: free to send
    INTENT = 3  # an intent is being written
    CALLING = 4  # the call may be under way
    SETTLING = 5  # an outcome is being written
    REFUSED = 6  # a definite no; the shell decides what follows
    WAITING = 7  # to be offered again at `due_ms`
    PARKING = 8  # its open entry is being written
    DOUBT = 9  # events are read once more before the verdict
    STUCK = 10  # without its content nothing may be done, but it may be told of after a while
    ENDING = 11  # an end is being written
    ENDED = 12
    AWAITING = 13  # sent; evidence is waited for before the next message of its chain
    FOLLOWING = 14  # the next message of its chain is being written
    SEEKING = 15  # looked for under other homes (keyed ids, while several maps are kept)


class Why:
    """Why messages wait, for people: one for all that wait for the same thing."""

    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return bool(self.text)


NONE: frozenset[Place] = frozenset()
NOTHING = Why()  # waits for nothing that anybody told; never written to


class Msg:
    """One message in memory. `accept` is the place of the copy that counts."""

    __slots__ = (
        "accept",
        "alone",
        "body_hash",
        "bucket",
        "by_id",
        "calling",
        "cancel",
        "conflicts",
        "content",
        "dirty",
        "due_ms",
        "effects",
        "ended_ms",
        "fixed",
        "followed",
        "held",
        "held_effects",
        "home",
        "id",
        "intending",
        "late",
        "listed",
        "message",
        "offered_ms",
        "parking",
        "phase",
        "reason",
        "receipts",
        "repeat",
        "reviving",
        "seek_ms",
        "seeking",
        "shard",
        "sought_ms",
        "spare",
        "state",
        "told",
        "tries",
        "unsettled",
        "why",
    )

    def __init__(self, message_id: str, shard: int, home: str = "") -> None:
        self.id = message_id
        self.home = home or home_of(message_id)
        self.shard = shard
        self.message: Message | None = None
        self.accept: Place | None = None
        self.spare: tuple[Place, Message] | None = None  # may stand in for it (`copies`)
        self.content: Any = None  # the payload as the shell decoded it
        self.phase = Phase.LOOKUP
        self.state: State = "accepted"
        self.reason = ""
        self.why = NOTHING
        self.fixed = False
        self.body_hash = b""  # of the body that is fixed, as far as it is known without the content
        self.alone = False  # under no other home something with its key goes on
        self.followed = False  # the next message of its chain stands
        self.told: tuple[str, ...] = ()  # what the shell told others of it, for the shell alone
        self.sought_ms = 0  # since when its content is sought by its place, 0 if it never was
        self.seek_ms = 0  # when it is sought again
        self.seeking: ByIdRow | None = None  # the row of that question, until it is answered
        self.reviving: ByIdRow | None = None  # whose records are being read
        self.cancel = False
        self.tries = 0
        self.due_ms = 0
        self.offered_ms = 0
        self.ended_ms = 0
        self.bucket = -1  # of the open set, held until it has ended or is parked again
        self.listed = 0  # how much the by-id row names with which it is parked
        self.parking = -1  # the bucket that its entry is being written to
        self.by_id = 0  # 0 none, 1 written while open, 2 written as ended
        self.dirty = False
        self.repeat: Intent | None = None
        self.intending: Intent | None = None  # the intent that is being written, or was last
        self.calling = ""  # the attempt whose call is under way
        self.unsettled: dict[str, Intent] = {}
        self.effects: list[tuple[Place, EffectRecord]] = []
        self.late: frozenset[Place] = NONE  # intents too late for a call, ends for a word
        self.receipts: list[tuple[Place, Receipt]] = []
        self.conflicts: list[Place] = []
        self.held: list[Place] = []
        self.held_effects: list[Place] = []

    @property
    def records(self) -> list[tuple[Place, Record]]:
        """Everything known of it, for the join."""
        return [*self.effects, *self.receipts]

    @property
    def named(self) -> int:
        """How much a by-id row names, for who waits until that is all."""
        return len(self.effects) + len(self.receipts) + len(self.conflicts)

    @property
    def doubtful(self) -> bool:
        """Whether a call of it may or may not have had its effect."""
        return bool(self.unsettled) and self.phase not in (Phase.INTENT, Phase.CALLING)

    @property
    def reached(self) -> Reached:
        """How far it came, for its chain."""
        took = any(type(r) is Outcome and r.kind == "accepted" for _, r in self.effects)
        seen = any(r.status in ("seen", "complained") for _, r in self.receipts)
        return Reached(self.state, took or bool(self.receipts), seen)

    def account_of(self, attempt: str) -> str:
        """The account of one of its attempts."""
        for place, record in self.effects:
            if (
                type(record) is Intent
                and attempt_name(place.log, place.row, place.index) == attempt
            ):
                return record.account
        return ""

    @property
    def gave_way(self) -> bool:
        """Whether it ended because one with its key goes on under another home."""
        return self.state == "canceled" and any(
            type(r) is End and r.reason in (GAVE_WAY, OTHER_BODY) for _, r in self.effects
        )

    @property
    def possible_duplicate(self) -> bool:
        """Whether it was sent again although an earlier call may have had its effect."""
        return possibly_twice([r for _, r in self.effects if type(r) is Intent])


class Lookup(Struct, gc=False):
    """Read these by-id rows at quorum; answer with `Owner.looked_up`."""

    ids: list[str]


class LookElsewhere(Struct, gc=False):
    """Read the by-id rows of these ids under other homes; answer `Owner.found_elsewhere`."""

    msg: Msg
    ids: list[str]


class Revive(Struct, gc=False):
    """Read the records that a by-id row points to; answer with `Owner.revived`."""

    id: str
    row: ByIdRow
    places: list[Place]


class Offer(Struct, gc=False):
    """The message is free to send: route it, hold a place, then call `Owner.intend`.

    Where `msg.repeat` is set, only its account and its provider key may be used.
    """

    msg: Msg


class WriteEffect(Struct, gc=False):
    """Append to the effect log; answer with `Owner.effect_durable`."""

    record: EffectRecord
    urgent: bool


class MakeCall(Struct, gc=False):
    """The intent stands: call now, with `Owner.may_call` as the guard."""

    msg: Msg
    attempt: str
    intent: Intent


class Refused(Struct, gc=False):
    """A definite no that may pass or not: decide and call `later` or `give_up`."""

    msg: Msg
    outcome: Outcome


class Follow(Struct, gc=False):
    """Write the next message of the chain to an accept log; answer with `Owner.followed`."""

    msg: Msg


class WriteByIds(Struct, gc=False):
    """Write by-id rows; answer with `Owner.by_ids_durable(token)`."""

    rows: list[ByIdRow]
    token: Any


class WriteOpen(Struct, gc=False):
    """Write entries of the open set; answer with `Owner.open_durable(token)`."""

    rows: list[OpenRow]
    token: Any


class ReadEventsAgain(Struct, gc=False):
    """Read receipts and cancels of these ids once more at quorum; then `Owner.events_read`."""

    ids: list[str]


class Changed(Struct, gc=False):
    """A message reached another state that may be told; not now where it is `held`."""

    msg: Msg
    held: bool = False


Command = (
    Lookup
    | LookElsewhere
    | Revive
    | Offer
    | WriteEffect
    | MakeCall
    | Refused
    | Follow
    | WriteByIds
    | WriteOpen
    | ReadEventsAgain
    | Changed
)


class Limits(Struct, frozen=True):
    """Bounds of one owner. Times in milliseconds.

    What has its end waits `content_wait_ms` for its content where that is out of reach; for more
    than `content_waits_max` at once the end is written down without it. In one turn the time of
    `due_at_once_max` messages comes, and one floor lets `passed_at_once_max` effects go.
    `bucket_ms` is the length of a due bucket of the open set: the same for all owners of a home,
    for as long as its store lives.
    """

    open_messages_max: int = 50_000
    recent_messages_max: int = 20_000
    remembered_ids_max: int = 400_000
    early_max: int = 10_000
    clock_bound_ms: int = 500
    dedupe_margin_ms: int = 5_000
    park_after_ms: int = 60_000
    park_waiting_ms: int = 600_000
    set_aside_ms: int = 30_000
    await_in_memory_ms: int = 15_000
    content_wait_ms: int = 600_000
    content_waits_max: int = 5_000
    by_id_rows_max: int = 1_000
    due_at_once_max: int = 1_000
    passed_at_once_max: int = 50_000
    bucket_ms: int = 600_000


__all__ = [
    "Cancel",
    "Changed",
    "Command",
    "End",
    "Follow",
    "Limits",
    "LookElsewhere",
    "Lookup",
    "MakeCall",
    "Msg",
    "Offer",
    "Phase",
    "ReadEventsAgain",
    "Refused",
    "Revive",
    "Why",
    "WriteByIds",
    "WriteEffect",
    "WriteOpen",
]
