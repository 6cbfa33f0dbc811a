"""What a run comes to. `goutong sim --json` prints it, without the trace."""

from msgspec import Struct

from core.sim.trace import Trace


class Violation(Struct, frozen=True):
    """What a checker found. `at` is in seconds of virtual time."""

    checker: str
    what: str
    at: float


class Result(Struct):
    """See PROTOCOL.md 13. `faults` counts each kind of fault that occurred."""

    seed: int
    profile: str
    ok: bool
    violations: list[Violation]
    messages: int
    sent: int
    in_doubt: int
    possible_duplicates: int
    lost_local: int
    faults: dict[str, int]
    digest: str
    trace: Trace
