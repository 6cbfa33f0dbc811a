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
ALL_OFF = 0.5
OFF_S = (1.5, 5.0)


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
    if chance.random() < ALL_OFF:
        found += _all_off(chance, regions, cores, faults_s)
    return found


def _all_off(chance: Random, regions: tuple[str, ...], cores: int, faults_s: float) -> list[Step]:
    """Both accounts for text messages are off for a while, so that all of them wait; meanwhile
    some recipients are suppressed."""
    region, number = chance.choice(regions), chance.randrange(cores)
    at_s, off_s = chance.uniform(0.8, faults_s * 0.7), chance.uniform(*OFF_S)
    found = [
        Step(at_s + wait_s, "account_edit", region, what, number, id=account)
        for wait_s, what in ((0.0, "disable"), (off_s, "enable"))
        for account in ("plain", "keyed")
    ]
    found += [
        Step(at_s + chance.uniform(0.6, off_s), "suppression", region, "add", number, id=person)
        for person in chance.sample(PEOPLE, 2)
    ]
    return [step for step in found if step.at_s < faults_s]
