"""What a mail to a return path says, once it was read."""

from typing import Literal

from msgspec import Struct

from core.providers.port import ReceiptStatus

Why = Literal[
    "auto_reply",  # somebody is out of office
    "not_a_bounce",  # an answer of a person, an advertisement: nothing about the delivery
    "other_feedback",  # a report by a mailbox provider that is no complaint
    "malformed",  # says that it is a report, and is none that can be read
]


class Said(Struct, frozen=True, gc=False):
    """It reports about a message. `code` is an enhanced status code (RFC 3463) or a kind of
    feedback; `detail` holds no address."""

    status: ReceiptStatus
    code: str = ""
    detail: str = ""
    original_path: str = ""  # the return path that the report itself names, unproven


class Ignored(Struct, frozen=True, gc=False):
    """It says nothing about a message."""

    why: Why


Verdict = Said | Ignored
