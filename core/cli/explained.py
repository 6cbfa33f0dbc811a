"""The explanation of a routing decision as a person reads it."""

from collections.abc import Iterator, Mapping
from typing import Any


def decision_lines(decision: Any, indent: str = "    ") -> list[str]:
    """Choice and policy, candidates with the parts of their scores, who was removed and why."""
    if not isinstance(decision, Mapping) or "candidates" not in decision:
        return []
    choice = decision.get("account") or "nobody"
    how = ", to learn how it does" if decision.get("explored") else ""
    lines = [f"{indent}route: {choice}{how}; {_policy(decision)}"]
    candidates = decision["candidates"]
    width = max((len(each["account"]) for each in candidates), default=0)
    lines += [f"{indent}  {each['account']:<{width}}  {_score(each)}" for each in candidates]
    removed = decision.get("removed", [])
    lines += [f"{indent}  not {each['account']}: {each['why']}" for each in removed]
    return lines


def route_lines(route: Mapping[str, Any]) -> Iterator[str]:
    """The answer of a dry run for one channel."""
    decision = route["decision"]
    where = "" if route["country"] == "ZZ" else f" to {route['country']}"
    parts = f", {route['parts']} parts" if route["parts"] > 1 else ""
    went = f"through {decision['account']}" if decision["account"] else f"nobody: {route['why']}"
    yield f"{route['channel']}{where}{parts}: {went}"
    yield from decision_lines(decision, "  ")
    if route["explore"]:
        yield f"  {route['explore']:.0%} of such messages go to another candidate, to learn of it"
    if not decision["account"]:
        passing = any(each.get("passing") for each in decision.get("removed", []))
        ends = route["when_none"] == "end" and not decision["candidates"] and not passing
        yield f"  such a message {'ends at once' if ends else 'waits until it expires'}"


def _policy(decision: Mapping[str, Any]) -> str:
    if not decision.get("version"):
        return f"policy {decision.get('policy', '')}"
    return f"policy {decision['policy']} version {decision['version']}"


def _score(each: Mapping[str, Any]) -> str:
    parts = " + ".join(f"{name} {part:.4f}" for name, part in each["parts"].items())
    words = [f"{each['score']:.4f} = {parts}"]
    if each.get("price"):
        words.append(f"price {each['price']:g}")
    if each.get("full"):
        words.append("no free place")
    if each.get("refused"):
        words.append("refused it before")
    return ", ".join(words)
