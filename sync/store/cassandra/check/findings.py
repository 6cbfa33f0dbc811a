"""What a cluster's settings do to the promises: a pure function of what was read of it.

A finding is refused where a promise would not hold with it: something accepted could be lost or
sent twice. It is a warning where only comfort, speed or a later repair is at stake. An operator who
knows better names a rule as tolerated; then it is a warning, too.
"""

from collections.abc import Iterable

from sync.store.cassandra.check import cluster, nodes
from sync.store.cassandra.check.seen import Finding, Seen, Wanted


def findings(seen: Seen, wanted: Wanted) -> list[Finding]:
    """Everything that is to be said about a cluster, what is refused first."""
    found = [each for rule in (*cluster.RULES, *nodes.RULES) for each in rule(seen, wanted)]
    found = [_tolerated(each) if each.rule in wanted.tolerated else each for each in found]
    return sorted(found, key=lambda each: each.level != "refuse")


def refused(found: Iterable[Finding]) -> list[Finding]:
    """Those because of which nothing may be begun."""
    return [each for each in found if each.level == "refuse"]


def _tolerated(each: Finding) -> Finding:
    return Finding("warn", each.rule, each.where, f"{each.what} (tolerated by setting)", each.mend)
