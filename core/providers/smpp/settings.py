"""What can be configured for one SMPP account. Data only; the password is kept apart, sealed."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

IdNotation = Literal["auto", "text", "dec", "hex_in_receipt", "dec_in_receipt"]
RefusalKind = Literal["retryable", "throttled", "permanent", "invalid_target", "account_fault"]

_Count = Annotated[int, Meta(ge=1, le=10_000)]
_Millis = Annotated[int, Meta(ge=10, le=3_600_000)]
_Octet = Annotated[int, Meta(ge=0, le=255)]
_Tag = Annotated[int, Meta(ge=0, le=0xFFFF)]
_Status = Annotated[str, Meta(pattern="^0x[0-9a-fA-F]{1,8}$")]


class SmppSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One account at one SMSC."""

    # Where the SMSC is, and who we are there.
    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 2775
    system_id: Annotated[str, Meta(max_length=15)]
    system_type: Annotated[str, Meta(max_length=12)] = ""

    # TLS from the first byte. `tls_ca_file` names a PEM file to trust instead of the system's
    # authorities, `tls_server_name` the name in the certificate if it is not `host`.
    tls: bool = False
    tls_ca_file: str = ""
    tls_server_name: str = ""

    # How many binds are kept, and how many submits may be unanswered on each.
    connections: Annotated[int, Meta(ge=1, le=64)] = 1
    window: _Count = 50

    # Time-outs. A submit without an answer after `response_timeout_ms` is in doubt; a link that
    # takes no bytes for `write_timeout_ms`, or does not answer an enquire_link within
    # `response_timeout_ms`, is given up. An enquire_link is sent after `enquire_link_ms` of
    # silence, and after a quarter of `response_timeout_ms` while a submit waits for its answer.
    connect_timeout_ms: _Millis = 5_000
    response_timeout_ms: _Millis = 10_000
    write_timeout_ms: _Millis = 1_000
    enquire_link_ms: _Millis = 30_000

    # Waiting before the next connection, doubled at each failure, with jitter.
    reconnect_min_ms: _Millis = 200
    reconnect_max_ms: _Millis = 10_000

    # The sender where the message names none, and how addresses are declared. Without
    # source_ton/source_npi they are derived: +digits 1/1, letters 5/0, other digits 0/0.
    source_addr: Annotated[str, Meta(max_length=20)] = ""
    source_ton: _Octet | None = None
    source_npi: _Octet | None = None
    dest_ton: _Octet = 1
    dest_npi: _Octet = 1
    service_type: Annotated[str, Meta(max_length=5)] = ""

    # Long messages: more parts are refused; parts that the SMSC refuses for now, while it took
    # others of the same message, are repeated (after `throttle_wait_ms` each time) until each was
    # tried `part_tries_max` times or `part_repeat_ms` have passed since the first refusal.
    parts_max: Annotated[int, Meta(ge=1, le=255)] = 50
    part_tries_max: Annotated[int, Meta(ge=1, le=100)] = 10
    part_repeat_ms: _Millis = 30_000

    # Receipts: whether to ask for them, how ids in them are written compared to the ids in
    # responses (see ids.py), and how many may wait for our own acknowledgement; past that the
    # SMSC is told to repeat later.
    receipts: bool = True
    id_notation: IdNotation = "auto"
    receipts_open_max: _Count = 2_000

    # The vendor parameter that carries the attempt's name there and back, if the SMSC has one.
    reference_tlv: _Tag | None = None

    # How long to hold back after a "throttled", and what this SMSC means by status codes of its
    # own, written as "0x00000401": "throttled".
    throttle_wait_ms: _Millis = 1_000
    status_kinds: dict[_Status, RefusalKind] = {}
