"""What a request comes to: which recipients are taken, which are rejected, and the answer for both.

The edge and the core find the same wrong recipients in the same order; the edge adds those that
only it can tell. What is left gets the ids that the edge minted, and may then be counted against
the recipients' limit. Raises ProblemError where nobody is left.
"""

from typing import cast

from msgspec import Struct

from core.accept.limits import Limits, recipient_refusal
from core.contract.frames import AcceptCall
from core.contract.pointers import FieldProblem
from core.contract.problems import problem
from core.contract.recipients import Recipient, Rejected, pointer_to, recipients_of
from core.contract.requests import MessageBrief, NotificationAnswer, NotificationRequest
from core.contract.rules import Rules

REJECTED = "rejected"


class Plan(Struct, frozen=True, gc=False):
    """`recipients`, `ids` and `countries` stand in one order. `send_at_ms` is 0 for now."""

    recipients: list[Recipient]
    ids: list[str]
    countries: list[str]
    rejected: list[MessageBrief]
    send_at_ms: int


def plan_of(call: AcceptCall, request: NotificationRequest, rules: Rules, now_ms: int) -> Plan:
    """Who gets the request. `now_ms` counts only where it says when it is to be sent."""
    asked = recipients_of(request, rules, now_ms)
    recipients, wrong = asked.good, asked.wrong
    if call.rejected:
        out = {one.index for one in call.rejected}
        recipients = [one for one in recipients if one.index not in out]
        wrong = [*wrong, *call.rejected]
    if len(recipients) != len(call.ids) or len(recipients) != len(call.countries):
        raise problem("internal", "the edge sent another number of ids than there are recipients")
    rejected = [_wrong(one) for one in wrong] if wrong else []
    return Plan(recipients, call.ids, call.countries, rejected, asked.send_at_ms)


def limited(
    tenant: str, request: NotificationRequest, plan: Plan, limits: Limits, now_s: float
) -> Plan:
    """The plan without those recipients that are over their limit; counts the others."""
    kept: list[tuple[Recipient, str, str]] = []
    rejected = list(plan.rejected)
    waits: list[int] = []
    for one in zip(plan.recipients, plan.ids, plan.countries, strict=True):
        recipient = one[0]
        wait_s = limits.recipient_wait_s(tenant, recipient.address, now_s)
        if not wait_s:
            kept.append(one)
            continue
        waits.append(wait_s)
        pointer = pointer_to(request, recipient.index, recipient.channel)
        why = FieldProblem(pointer, limits.recipient_detail, f"Try again in {wait_s} s.")
        rejected.append(
            MessageBrief(
                status=REJECTED,
                index=recipient.index,
                code="recipient_limited",
                errors=[why],
                retry_after=wait_s,
            )
        )
    if not waits:
        return plan
    if not kept:
        raise recipient_refusal(limits.recipient_detail, max(waits))
    recipients, ids, countries = (list(column) for column in zip(*kept, strict=True))
    return Plan(
        cast("list[Recipient]", recipients),
        cast("list[str]", ids),
        cast("list[str]", countries),
        rejected,
        plan.send_at_ms,
    )


def answer_of(ntf: str, plan: Plan, status: str, region: str) -> NotificationAnswer:
    """The answer 202, in the order of the request's recipients."""
    briefs = [
        MessageBrief(id=mid, channel=one.channel, status=status, region=region, index=one.index)
        for mid, one in zip(plan.ids, plan.recipients, strict=True)
    ]
    if plan.rejected:
        briefs = sorted([*briefs, *plan.rejected], key=lambda brief: brief.index)
    return NotificationAnswer(ntf, briefs)


def _wrong(one: Rejected) -> MessageBrief:
    return MessageBrief(status=REJECTED, index=one.index, code="invalid_request", errors=one.errors)
