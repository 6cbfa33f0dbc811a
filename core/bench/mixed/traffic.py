"""What people send on that day: requests of all kinds, drawn with a given source of chance. Pure.

Each `Ask` is one request with what the bench has to know of it: how many messages it is for, what
happens afterwards (it is sent once more, or cancelled), and by when at the earliest it may go out.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any, Literal

from msgspec import Struct

Then = Literal["", "repeat", "cancel", "race"]
Body = dict[str, Any]

BATCH_ITEMS = 50
GROUP = 8
MAILBOXES = 4_000
HOOKS = 400
ESCALATE_AFTER_S = 3
EXPIRES_S = 120
ZONE = timezone(timedelta(hours=8))
LONG_TEXT = "Your parcel left the depot and is on its way; follow it in the app. " * 4


class Ask(Struct, frozen=True):
    """One request. Several bodies are one batch. `wrong` of its recipients have to be rejected."""

    kind: str
    bodies: list[Body]
    messages: int = 1
    wrong: int = 0
    key: str = ""
    then: Then = ""
    not_before_ms: int = 0


class Traffic:
    """Draws requests. `hook_port` is where the sandbox's webhook endpoint listens."""

    def __init__(self, random: Random, hook_port: int) -> None:
        self._random = random
        self._hooks = f"http://127.0.0.1:{hook_port}/hooks"
        self._number = 0
        kinds: list[tuple[int, Callable[[int], Ask]]] = [
            (250, self._otp),
            (100, self._alert),
            (200, self._text),
            (180, self._mail),
            (110, self._hook),
            (110, self._chain),
            (50, self._later),
            (30, self._canceled),
            (20, self._race),
            (30, self._repeated),
            (6, self._group),
            (4, self._texts),
            (4, self._mails),
        ]
        self._shares = [share for share, _ in kinds]
        self._kinds = [kind for _, kind in kinds]

    def draw(self, now_ms: int) -> Ask:
        """The next request."""
        self._number += 1
        [kind] = self._random.choices(self._kinds, self._shares)
        return kind(now_ms)

    def _phone(self) -> str:
        return f"+4473{self._random.randrange(100_000_000):08d}"

    def _mailbox(self) -> str:
        """Few enough that some get several mails, and are on the suppression list by then."""
        return f"ada{self._random.randrange(MAILBOXES)}@example.com"

    def _delivery(self) -> str:
        return "at_most_once" if self._random.random() < 0.15 else "at_least_once"

    def _sms(self, text: str, **fields: Any) -> Body:
        to = {"phone": self._phone()}
        return {"to": to, "content": {"text": text}, "expires_in": EXPIRES_S, **fields}

    def _otp(self, _: int) -> Ask:
        code = f"{self._random.randrange(1_000_000):06d}"
        body = {"template": "otp", "data": {"code": code}, "class": "otp", "expires_in": 60}
        return Ask("otp", [{"to": {"phone": self._phone()}, **body}])

    def _alert(self, _: int) -> Ask:
        text = f"Alert {self._number}: the pressure is high."
        return Ask("alert", [self._sms(text, **{"class": "alert"})])

    def _text(self, _: int) -> Ask:
        text = LONG_TEXT if self._random.random() < 0.1 else f"Order {self._number} is ready."
        return Ask("transactional", [self._sms(text, delivery=self._delivery())])

    def _mail(self, _: int) -> Ask:
        body = {"template": "welcome", "data": {"name": f"Ada {self._number}"}}
        to = {"email": self._mailbox()}
        return Ask("e-mail", [{"to": to, "expires_in": EXPIRES_S, **body}])

    def _hook(self, _: int) -> Ask:
        to = {"url": f"{self._hooks}/{self._random.randrange(HOOKS)}"}
        content = {"text": f"Invoice {self._number} was paid."}
        return Ask("webhook", [{"to": to, "content": content, "expires_in": EXPIRES_S}])

    def _chain(self, _: int) -> Ask:
        body = {
            "to": {"phone": self._phone(), "email": self._mailbox()},
            "channel": ["sms", "email"],
            "until": "delivered",
            "escalate_after": ESCALATE_AFTER_S,
            "content": {"subject": "Your table", "text": f"Table {self._number} is free."},
            "expires_in": EXPIRES_S,
        }
        return Ask("sms, else e-mail", [body])

    def _ahead(self, now_ms: int, seconds: float, text: str) -> tuple[Body, int]:
        at = datetime.fromtimestamp(now_ms // 1000, ZONE) + timedelta(seconds=seconds)
        body = self._sms(text, send_at=at.isoformat(timespec="milliseconds"))
        return body, int(at.astimezone(UTC).timestamp() * 1000)

    def _later(self, now_ms: int) -> Ask:
        body, at_ms = self._ahead(now_ms, self._random.randrange(2, 12), "In a moment.")
        return Ask("scheduled", [body], not_before_ms=at_ms)

    def _canceled(self, now_ms: int) -> Ask:
        body, at_ms = self._ahead(now_ms, 10, "Never mind.")
        return Ask("scheduled, cancelled", [body], then="cancel", not_before_ms=at_ms)

    def _race(self, _: int) -> Ask:
        return Ask("cancelled at once", [self._sms("Perhaps.")], then="race")

    def _repeated(self, _: int) -> Ask:
        key = f"day-{self._random.getrandbits(64):016x}"
        return Ask("sent twice by key", [self._sms("Once.")], key=key, then="repeat")

    def _group(self, _: int) -> Ask:
        to = [{"phone": self._phone()} for _ in range(GROUP)]
        to[self._random.randrange(GROUP)] = {"phone": "+44 12"}
        body = {"to": to, "content": {"text": "All of you."}, "expires_in": EXPIRES_S}
        return Ask("group, one wrong", [body], GROUP - 1, wrong=1)

    def _texts(self, _: int) -> Ask:
        bodies = [
            self._sms(f"Sale {self._number}.{n}!", **{"class": "bulk"}) for n in range(BATCH_ITEMS)
        ]
        return Ask("bulk batch", bodies, BATCH_ITEMS)

    def _mails(self, _: int) -> Ask:
        content = {"subject": "News", "text": "News of today.", "html": "<p>News of today.</p>"}
        rest = {"content": content, "class": "bulk", "expires_in": EXPIRES_S}
        bodies = [{"to": {"email": self._mailbox()}, **rest} for _ in range(BATCH_ITEMS)]
        return Ask("bulk e-mail batch", bodies, BATCH_ITEMS)
