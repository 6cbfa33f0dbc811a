"""One request under way in the acceptor, from its call to its answer."""

from collections.abc import Callable

from core.accept.plan import Plan
from core.contract.frames import AcceptCall, AcceptReply
from core.contract.requests import NotificationRequest

Reply = Callable[[AcceptReply], None]


class UnderWay:
    """`plan` is there once its recipients are known, `left` counts rows that do not stand yet."""

    __slots__ = ("answer", "call", "deadline", "hash", "left", "plan", "reply", "request")

    def __init__(
        self, call: AcceptCall, reply: Reply, request: NotificationRequest, hashed: bytes
    ) -> None:
        self.call = call
        self.reply = reply
        self.request = request
        self.hash = hashed
        self.plan: Plan | None = None
        self.left = 0
        self.deadline = 0.0
        self.answer = b""
