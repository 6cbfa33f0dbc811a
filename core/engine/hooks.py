"""What the dispatcher asks of parts that it does not know, at the last moment before a send.

Each hook is a plain call within one turn of the event loop: it answers from memory and never
waits. The defaults stand for an installation without that part.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

from core.decide.policy import Policy
from core.engine.payload import Payload


class Endpoint(Struct, frozen=True):
    """A tenant's own webhook endpoint. `secrets` are those in force, newest first. `problem` says
    why it cannot be called now, though it may be later."""

    url: str
    secrets: tuple[str, ...]
    enabled: bool = True
    problem: str = ""


class Hooks(Struct):
    """`policies` are all routing policies, a new sequence whenever one changed.

    `suppressed` is the reason that a message must not be sent, "" where it may: asked in the turn
    before its intent. `endpoint(tenant, id)` is where an event goes, None where it was taken away.
    `unsubscribe_url(payload, message_id)` is the signed one-click link of an e-mail, "" for none.
    `invalid_target(message_id, payload, to, detail)` hears that a contact point does not exist;
    `to` is what was called.
    """

    policies: Callable[[], Sequence[Policy]] = tuple
    suppressed: Callable[[Payload], str] = lambda _: ""
    endpoint: Callable[[str, str], Endpoint | None] = lambda *_: None
    unsubscribe_url: Callable[[Payload, str], str] = lambda *_: ""
    invalid_target: Callable[[str, Payload, str, str], None] = lambda *_: None
