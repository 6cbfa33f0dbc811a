"""From the standing intent to the adapter's answer: the message for the wire, guard, places."""

from collections.abc import Callable

from msgspec import Struct

from core.clock import Clock
from core.engine.accounts import Account
from core.engine.hooks import Hooks
from core.engine.payload import Payload, content_of
from core.engine.protection import Held
from core.providers.port import Call, Outcome, OutMessage
from sync.owner.owner import Owner
from sync.owner.state import Msg
from sync.records import Intent

EVENT = "event"


class Place(Struct, frozen=True, gc=False):
    """A place that is held at an account for a message whose intent is being written."""

    msg: Msg
    account: Account
    held: Held


class Calls:
    """Places held and calls under way. `lease_left_s` is asked in the turn of the first byte.

    `owner_of` is the owner of a home.
    """

    def __init__(
        self,
        owner_of: Callable[[str], Owner],
        hooks: Hooks,
        clock: Clock,
        lease_left_s: Callable[[], float],
        write_timeout_s: float,
    ) -> None:
        self._owner_of = owner_of
        self._hooks = hooks
        self._clock = clock
        self._lease_left_s = lease_left_s
        self._write_timeout_s = write_timeout_s
        self._places: dict[str, Place] = {}
        self.on_outcome: Callable[[Msg, str, Account, Outcome], None] = lambda *_: None
        self.on_free: Callable[[], None] = lambda: None

    @property
    def may_begin(self) -> bool:
        """Whether enough of the own lease is left to begin a call."""
        return self._lease_left_s() >= self._write_timeout_s

    def hold(self, msg: Msg, account: Account, again: bool, now: float) -> None:
        """The message's intent is being written: its place is held."""
        self._places[msg.id] = Place(msg, account, account.hold(again, now))

    def lost(self, home: str, shards: set[int]) -> None:
        """Shards of a home are gone: places held for intents of theirs are free again."""
        for message_id, place in list(self._places.items()):
            if place.msg.shard in shards and place.msg.home == home:
                del self._places[message_id]
                place.account.drop(place.held)

    def call(self, msg: Msg, attempt: str, intent: Intent) -> None:
        """The intent stands: call the account's adapter."""
        place = self._places.pop(msg.id)
        account, begun = place.account, self._clock.boot()
        payload, owner = content_of(msg), self._owner_of(msg.home)

        def guard() -> bool:
            return self.may_begin and owner.may_call(msg, attempt, self._clock.wall_ms())

        def never(outcome: Outcome) -> None:
            account.drop(place.held)
            self.on_outcome(msg, attempt, account, outcome)
            self.on_free()

        if account.adapter is None:
            never(Outcome("not_sent", detail="the account was taken away"))
            return
        out = self._out(msg, payload, attempt, intent)
        if isinstance(out, Outcome):
            never(out)
            return
        to = out.to  # `done` must not hold the call that holds it: then counting frees both

        def done(outcome: Outcome) -> None:
            account.answered(outcome, place.held, begun)
            if outcome.kind == "invalid_target":
                self._hooks.invalid_target(msg.id, payload, to, outcome.detail)
            self.on_outcome(msg, attempt, account, outcome)
            self.on_free()

        account.adapter.submit(Call(out, guard, done))

    def _out(
        self, msg: Msg, payload: Payload, attempt: str, intent: Intent
    ) -> OutMessage | Outcome:
        """The message as the wire needs it, or why an event cannot be told to its endpoint."""
        assert msg.message is not None
        to, raw, unsubscribe_url, event_id = payload.to, False, "", ""
        signing: tuple[str, ...] = ()
        if payload.channel == "webhook" and payload.kind == EVENT:
            endpoint = self._hooks.endpoint(payload.tenant, payload.to)
            if endpoint is None:
                return Outcome("permanent", detail="the endpoint was taken away")
            if not endpoint.enabled:
                return Outcome("permanent", detail="the endpoint is switched off")
            if endpoint.problem:
                return Outcome("not_sent", detail=endpoint.problem)
            to, raw, signing = endpoint.url, True, endpoint.secrets
            event_id = payload.notification
        elif payload.channel == "email":
            unsubscribe_url = self._hooks.unsubscribe_url(payload, msg.id)
        return OutMessage(
            f"{msg.id}.{attempt}.{intent.epoch}",
            to,
            "",
            payload.text,
            payload.subject,
            payload.html,
            intent.expires_ms - self._clock.wall_ms(),
            msg.message.accepted_ms,
            payload.message_class,
            intent.provider_key,
            raw,
            signing,
            unsubscribe_url,
            event_id,
        )
