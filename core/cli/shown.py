"""A message as a person reads it."""

from collections.abc import Mapping
from typing import Any

from core.cli.explained import decision_lines


def trace_lines(message: Mapping[str, Any]) -> list[str]:
    """What is known about a message, oldest first."""
    ended = "final" if message.get("final") else "not final"
    head = f"{message['channel']} {message['id']}: {message['status']} ({ended})"
    if message.get("reason"):
        head += f", {message['reason']}"
    if message.get("possible_duplicate"):
        head += ", possibly sent twice"
    asked = ", ".join(
        str(message[name]) for name in ("class", "delivery", "durability") if name in message
    )
    region = message.get("region", "")
    lines = [head, f"  region {region}{_home_of(message)}; {asked}", *_chain_lines(message)]
    happened = [
        (event["at"], event["type"], event.get("detail", "") + _elsewhere(event, region))
        for event in message["events"]
    ]
    lines += [f"  {_time(at)}  {what:<12}  {detail}".rstrip() for at, what, detail in happened]
    for number, attempt in enumerate(message["attempts"], 1):
        words = [f"  attempt {number} by {attempt['account']}: {attempt['outcome']}"]
        words += [
            f"{label} {attempt[name]}"
            for name, label in (("code", "code"), ("provider_id", "provider's id"))
            if attempt.get(name)
        ]
        if attempt.get("detail"):
            words.append(attempt["detail"])
        lines += [", ".join(words), *decision_lines(attempt.get("explanation"))]
    return lines


def _home_of(message: Mapping[str, Any]) -> str:
    """Where it is at home and who looks after it, where the answer tells an owner."""
    if not message.get("owner"):
        return ""
    return f", home {message['home']}, owner {message['owner']} epoch {message['epoch']}"


def _elsewhere(event: Mapping[str, Any], region: str) -> str:
    """The region of an event where it is another than the one that took the message in."""
    found = event.get("region", "")
    return f" [in {found}]" if found and found != region else ""


def _chain_lines(message: Mapping[str, Any]) -> list[str]:
    """When it is sent, what came before it, what may follow, what its recipient did."""
    lines = []
    if message.get("send_at"):
        lines.append(f"  not before {message['send_at']}")
    if message.get("resend_of"):
        lines.append(f"  a new sending of {message['resend_of']}")
    if message.get("follows"):
        lines.append(f"  follows {message['follows']}")
    following = message.get("next") or []
    if following:
        steps = ", then ".join(f"{step['channel']} {step['id']}" for step in following)
        lines.append(f"  unless {message.get('until') or 'sent'}: {steps}")
    if message.get("engagement"):
        lines.append(f"  its recipient: {', '.join(message['engagement'])}")
    return lines


def _time(at: str) -> str:
    """The time of day of a timestamp; the date stands in the logs."""
    return at.partition("T")[2].rstrip("Z") or at


def brief_text(message: dict[str, Any]) -> str:
    """One entry of an answer's `messages` for people."""
    if message["status"] != "rejected":
        return f"{message['id']}  {message['channel']}  {message['status']}"
    why = "; ".join(
        f"{each['pointer']}: {each['detail']} {each['hint']}" for each in message["errors"]
    )
    return f"rejected  {why}"
