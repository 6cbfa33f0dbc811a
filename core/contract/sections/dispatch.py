"""Settings of sending: whose turn it is, what is kept for the urgent, retries, circuits."""

from typing import Annotated

from msgspec import Meta

from core.contract.sections.kinds import Positive, Section, Share, doc


class DispatchSettings(Section, frozen=True):
    """Who is sent first, and what an account is spared."""

    tenant_weights: Annotated[
        str,
        Meta(pattern=r"^([^\s=,]+=[1-9][0-9]{0,5}(,[^\s=,]+=[1-9][0-9]{0,5})*)?$"),
        doc('Shares of tenants in one class, as "acme=4,other=1"; who is not named has 1.'),
    ] = ""
    bulk_ratio: Annotated[
        Positive, doc("Transactional messages sent for each bulk message while both wait.")
    ] = 8
    urgent_reserve: Annotated[
        Share,
        doc(
            "Part of an account's window that only otp and alert may use (from 10 up); of its "
            "rate's burst half at least."
        ),
    ] = 0.1
    retry_share: Annotated[
        Share, doc("Retries an account takes for each first attempt; more of them wait.")
    ] = 0.2
    retry_floor_per_s: Annotated[
        Positive, doc("Retries a second that an account takes beside that share.")
    ] = 10


class BreakerSettings(Section, frozen=True):
    """When an account is left alone because its calls fail, and for how long."""

    share: Annotated[Share, doc("This share of failed calls opens the circuit.")] = 0.5
    calls_min: Annotated[Positive, doc("Calls within the window that a share is told of.")] = 20
    window_ms: Annotated[Positive, doc("Calls of this last time count.")] = 10_000
    in_a_row: Annotated[Positive, doc("So many failures in a row open it as well.")] = 10
    first_ms: Annotated[
        Positive, doc("First time it stays open; it doubles with each probe that fails.")
    ] = 1000
    longest_ms: Annotated[Positive, doc("Longest time it stays open.")] = 60_000
    probes: Annotated[Positive, doc("Calls let through at once to see whether it works again.")] = 1
