"""How many messages a tenant and a recipient may have, counted by each core for itself.

A region of several cores therefore lets through up to as many times more; what an edge gives to a
core again was counted the first time and is not counted here. Nothing is written: a core that
starts again starts with nothing used up. What is refused later for another reason stays counted.

What is remembered is bounded. Who was not seen for longest is forgotten, and may have a whole
burst again. Of an address only a hash is kept.
"""

from collections import OrderedDict
from hashlib import blake2b
from math import ceil, isinf

from msgspec import Struct

from core.contract.problems import ProblemError, problem
from core.contract.sections.core import LimitsSettings
from core.decide.gcra import Rate, take

_TENANTS_MAX = 10_000


class RateLimits(Struct, frozen=True):
    """None: no limit. `recipients_max` bounds the addresses that are remembered."""

    tenant: Rate | None = None
    recipient: Rate | None = None
    recipients_max: int = 1


def rate_limits(settings: LimitsSettings) -> RateLimits:
    """The limits of these settings; a rate of 0 is none."""
    per_second, per_hour = settings.tenant_per_second, settings.recipient_per_hour
    return RateLimits(
        Rate(per_second, settings.tenant_burst) if per_second else None,
        Rate(per_hour / 3600, settings.recipient_burst) if per_hour else None,
        settings.recipients_remembered_max,
    )


class _Used:
    """What each of them used up of one rate; at most `kept_max` of them."""

    def __init__(self, rate: Rate, kept_max: int) -> None:
        self.rate = rate
        self._kept_max = kept_max
        self._tats: OrderedDict[str | bytes, float] = OrderedDict()

    def wait_s(self, name: str | bytes, cost: int, now_s: float) -> float:
        """Take so much (0.0), or the wait until it may be taken."""
        tat, wait_s = take(self._tats.get(name, 0.0), now_s, self.rate, cost)
        if not wait_s:
            self._tats[name] = tat
            self._tats.move_to_end(name)
            if len(self._tats) > self._kept_max:
                self._tats.popitem(last=False)
        return wait_s


class Limits:
    """See the module. `on` says whether anything is limited at all."""

    def __init__(self, limits: RateLimits) -> None:
        tenant, recipient = limits.tenant, limits.recipient
        self._tenants = None if tenant is None else _Used(tenant, _TENANTS_MAX)
        self._recipients = None if recipient is None else _Used(recipient, limits.recipients_max)
        self.on = tenant is not None or recipient is not None

    def tenant_refusal(self, tenant: str, messages: int, now_s: float) -> ProblemError | None:
        """Count so many messages of the tenant, or say why they are too many."""
        used = self._tenants
        if used is None:
            return None
        wait_s = used.wait_s(tenant, messages, now_s)
        if not wait_s:
            return None
        if isinf(wait_s):
            detail = f"The tenant may send {used.rate.burst} messages at once, not {messages}."
            return problem("rate_limited", f"{detail} Send them in several requests.")
        detail = f"The tenant may send {used.rate.per_second:g} messages a second."
        return _refusal("rate_limited", detail, max(1, ceil(wait_s)))

    def recipient_wait_s(self, tenant: str, address: str, now_s: float) -> int:
        """Count one message to the address (0), or the seconds until it may have another."""
        used = self._recipients
        if used is None:
            return 0
        name = blake2b(f"{tenant}\0{address}".encode(), digest_size=16).digest()
        wait_s = used.wait_s(name, 1, now_s)
        return max(1, ceil(wait_s)) if wait_s else 0

    @property
    def recipient_detail(self) -> str:
        """What one recipient may have, for people."""
        assert self._recipients is not None
        per_hour = self._recipients.rate.per_second * 3600
        return f"an address may get {per_hour:g} messages an hour"


def recipient_refusal(detail: str, wait_s: int) -> ProblemError:
    """None of a request's recipients may have another message yet."""
    return _refusal("recipient_limited", f"{detail[:1].upper()}{detail[1:]}.", wait_s)


def _refusal(code: str, detail: str, wait_s: int) -> ProblemError:
    again = f"{detail} Try again in {wait_s} s."
    return problem(code, again, headers={"Retry-After": str(wait_s)}, retry_after=wait_s)
