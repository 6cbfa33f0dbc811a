"""Which copy of a message counts, where copies have the same body (PROTOCOL.md 5).

The same request may stand in several accept rows: who heard no answer handed it in again. Each copy
counts its times from when it was accepted: when it may go, when it expires, when the next channel's
turn comes. So they differ from copy to copy, and one must count.

- One row gives body and times alike: the one that the intent, open entry or end of the highest
  epoch names; else the one that the by-id row names; else the one that was read first. It is what
  `GET /v1/messages/{id}` shows. So what was told of its times holds, whoever owns it later.
- Another copy at hand stands in only where that row is not found: for the caller it is the same
  request, which must not wait until a region that was lost is back. What its owner writes next
  names the one that stood in, at a higher epoch, and so it counts from then on.
- What is under way goes on with the copy that it began with: its intent, entry or end names that.
"""

from sync.owner.state import Msg, Phase
from sync.records import Message, Place


def another_counts(msg: Msg, place: Place) -> None:
    """The copy at `place` has the body of the one at hand, and counts in its stead."""
    if msg.message is None or msg.accept is None:
        msg.accept = place
    elif msg.accept != place and msg.phase in (Phase.LOOKUP, Phase.STUCK):
        msg.spare, msg.body_hash = (msg.accept, msg.message), msg.message.body_hash
        msg.message, msg.accept = None, place


def content_found(msg: Msg, place: Place, message: Message) -> bool:
    """A copy of a message without content was found: is it the content, or may it stand in?"""
    if msg.accept is None or msg.accept == place:
        msg.message, msg.accept, msg.spare = message, place, None
        return True
    if message.body_hash != msg.body_hash:
        return False
    msg.spare = place, message
    return True


def stand_in(msg: Msg) -> None:
    """The row that counts was not found."""
    if msg.spare is not None:
        msg.accept, msg.message = msg.spare
        msg.spare = None
