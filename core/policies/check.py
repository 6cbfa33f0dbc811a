"""Whether a policy can be what its owner says. Pure; findings carry a JSON pointer and a hint."""

from collections.abc import Set
from difflib import get_close_matches

from msgspec.structs import astuple

from core.contract.pointers import FieldProblem
from core.contract.policies import PolicyIn


def names_of(given: PolicyIn) -> set[str]:
    """The accounts that it names."""
    return {*given.order, *given.forbid, *given.require}


def check_policy(given: PolicyIn, known: Set[str]) -> list[FieldProblem]:
    """All that is wrong with it; `known` are the accounts that exist."""
    found: list[FieldProblem] = []
    for field in ("order", "forbid", "require"):
        names: list[str] = getattr(given, field)
        for index, name in enumerate(names):
            pointer = f"/{field}/{index}"
            if name not in known:
                found.append(FieldProblem(pointer, "there is no such account", _hint(name, known)))
            elif name in names[:index]:
                found.append(FieldProblem(pointer, "named twice", "Name it once."))
    for index, name in enumerate(given.forbid):
        if name in given.require:
            hint = "Leave it out of one of both."
            found.append(FieldProblem(f"/forbid/{index}", "forbidden and required", hint))
    if not any(astuple(given.weights)):
        hint = "Give one of success, latency, cost, distance, order a weight above 0."
        found.append(FieldProblem("/weights", "every weight is 0", hint))
    return found


def _hint(name: str, known: Set[str]) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return "Create the account first, or leave it out; `goutong providers` lists what there is."
