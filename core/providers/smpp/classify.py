"""What an SMSC's status codes mean for a message. A pure table.

A submit_sm_resp or generic_nack with an error status says that the message was not taken, so
every class here is a definite no. Codes that neither SMPP 3.4 nor the account's `status_kinds`
knows count as `permanent` for this account: repeating a call whose refusal we do not understand
may annoy or cost, and the route can still try another provider.
"""

from collections.abc import Mapping

from msgspec import Struct

from core.providers.port import Outcome, OutcomeKind

ESME_ROK = 0x00
ESME_RINVBNDSTS = 0x04
ESME_RX_T_APPN = 0x64  # "ESME receiver temporary application error": the SMSC delivers again
ESME_RX_P_APPN = 0x65
ESME_RINVCMDID = 0x03

# Answers to a bind that no waiting mends: a wrong name or password, or a barred account.
BIND_FAULTS: dict[int, str] = {
    0x0D: "bind failed",
    0x0E: "invalid password",
    0x0F: "invalid system id",
}
BIND_FAILED = 0x0D

_SUBMIT: dict[int, tuple[OutcomeKind, str]] = {
    0x01: ("permanent", "message length is invalid"),
    0x02: ("permanent", "command length is invalid"),
    0x03: ("permanent", "command id is invalid"),
    0x04: ("retryable", "not bound for this command"),
    0x06: ("permanent", "priority flag is invalid"),
    0x07: ("permanent", "registered delivery flag is invalid"),
    0x08: ("retryable", "system error at the SMSC"),
    0x0A: ("account_fault", "source address is invalid"),
    0x0B: ("invalid_target", "destination address is invalid"),
    0x0D: ("account_fault", "bind failed"),
    0x0E: ("account_fault", "invalid password"),
    0x0F: ("account_fault", "invalid system id"),
    0x14: ("throttled", "message queue is full"),
    0x15: ("permanent", "service type is invalid"),
    0x33: ("permanent", "number of destinations is invalid"),
    0x42: ("permanent", "esm_class is invalid"),
    0x44: ("permanent", "cannot submit to the distribution list"),
    0x45: ("permanent", "submit failed"),
    0x48: ("account_fault", "source address type is invalid"),
    0x49: ("account_fault", "source numbering plan is invalid"),
    0x50: ("permanent", "destination address type is invalid"),
    0x51: ("permanent", "destination numbering plan is invalid"),
    0x53: ("permanent", "system type is invalid"),
    0x58: ("throttled", "throttled"),
    0x61: ("permanent", "scheduled delivery time is invalid"),
    0x62: ("permanent", "validity period is invalid"),
    0x64: ("retryable", "temporary application error"),
    0x65: ("permanent", "permanent application error"),
    0x66: ("permanent", "rejected by the application"),
    0xC0: ("permanent", "optional part of the body is invalid"),
    0xC1: ("permanent", "optional parameter is not allowed"),
    0xC2: ("permanent", "length of an optional parameter is invalid"),
    0xC3: ("permanent", "an optional parameter is missing"),
    0xC4: ("permanent", "value of an optional parameter is invalid"),
    0xFE: ("permanent", "delivery failure"),
    0xFF: ("permanent", "unknown error"),
}

# Of several refusals of one long message the first in this order speaks for all.
_GRAVEST_FIRST: tuple[OutcomeKind, ...] = (
    "account_fault",
    "invalid_target",
    "permanent",
    "throttled",
    "retryable",
)


class StatusTable(Struct, frozen=True):
    """The table above with an account's own entries, and how long it holds back when throttled."""

    own: dict[int, OutcomeKind]
    throttle_wait_ms: int

    def refusal(self, status: int) -> Outcome:
        """The outcome of a submit that was answered with this error status."""
        kind, meaning = _SUBMIT.get(status, ("permanent", "unknown status"))
        kind = self.own.get(status, kind)
        wait_ms = self.throttle_wait_ms if kind == "throttled" else 0
        return Outcome(kind, code=f"0x{status:08x}", detail=meaning, wait_ms=wait_ms)

    def gravest(self, statuses: list[int]) -> Outcome:
        """The outcome of a long message all of whose parts were refused."""
        refusals = [self.refusal(status) for status in statuses]
        return min(refusals, key=lambda refusal: _GRAVEST_FIRST.index(refusal.kind))

    def may_pass(self, status: int) -> bool:
        """Whether the same PDU may be taken later."""
        return self.refusal(status).kind in ("throttled", "retryable")


def status_table(status_kinds: Mapping[str, OutcomeKind], throttle_wait_ms: int) -> StatusTable:
    """The table for an account; raises ValueError on a key that is not a number."""
    own = {int(written, 0): kind for written, kind in status_kinds.items()}
    return StatusTable(own, throttle_wait_ms)
