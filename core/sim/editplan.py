"""The edits of configuration in a run, and to whom messages go that suppressions may stop.

Drawn from a stream of its own: plans without edits are what they would be without this.
"""

from random import Random

from msgspec.structs import replace

from core.sim.steps import Step

PEOPLE = ("+1", "+2", "+3", "+4")
MAIL = "a@b"
EDITED = ("plain", "plain", "keyed", "keyed", "mail", "hook")
WHAT = ("disable", "disable", "enable", "enable", "limits", "order", "price")
EDITS_MAX = 12
POLICIES_MAX = 3
SUPPRESSIONS_MAX = 8
TWICE = 0.4
REMOVED = 0.4


def with_edits(
    seed: int, steps: list[Step], regions: tuple[str, ...], cores: int, faults_s: float
) -> list[Step]:
    """The steps with recipients, and with the edits. `other` says what is asked, `amount` 1.0 that
    an operator at another core asks for an edit of the same thing at once."""
    chance = Random(f"{seed}:edits")
    to: dict[str, str] = {}
    found: list[Step] = []
    for step in steps:
        if step.wish is not None:
            person = to.setdefault(step.id, chance.choice(PEOPLE))
            step = replace(step, wish=replace(step.wish, to=person))
        found.append(step)

    def edit(kind: str, what: str, of: str) -> Step:
        at_s, region = chance.uniform(0.8, faults_s), chance.choice(regions)
        twice = float(chance.random() < TWICE)
        return Step(at_s, kind, region, what, chance.randrange(cores), 0.0, twice, of)

    found += [
        edit("account_edit", chance.choice(WHAT), chance.choice(EDITED))
        for _ in range(chance.randint(1, EDITS_MAX))
    ]
    found += [
        edit("policy_edit", chance.choice(("forbid", "order", "delete")), "sms")
        for _ in range(chance.randint(0, POLICIES_MAX))
    ]
    for _ in range(chance.randint(0, SUPPRESSIONS_MAX)):
        what = "remove" if chance.random() < REMOVED else "add"
        found.append(edit("suppression", what, chance.choice((*PEOPLE, *PEOPLE, MAIL))))
    return found
