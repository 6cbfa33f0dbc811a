"""What waits, by channel, class and tenant; messages that are alike stand in one group.

A group holds messages for which one decision serves: same class, policy, destination and form.
Its reason for waiting is one object that all of them point to, so telling why costs nothing,
however many wait. A group that found no account stands still until something changes that it
waits for. Nothing here looks at more than the groups of one channel.
"""

from collections.abc import Callable

from msgspec import Struct

from core.decide.fair import ALERT, BULK, LANES, OTP, TRANSACTIONAL, Order, Tags, Turns
from core.decide.policy import Policy
from core.decide.route import Decision, Wanted
from sync.owner.state import Msg, Phase, Why

GROUPS_KEPT = 256


class Kind(Struct, frozen=True):
    """What is alike. `country` is "" where it makes no difference; `over` is how many of the
    accounts' limits the text is longer than; `only` the account that it must go to."""

    policy: str
    lane: int
    country: str
    parts: int
    over: int
    html: bool
    again: bool
    refused: frozenset[str]
    only: str


class Group:
    """Messages that are alike. `waits_for` are accounts without room; `seen` the facts' version
    at the last decision that found none, -1 while it does not stand still."""

    __slots__ = (
        "decided_at",
        "decision",
        "generation",
        "kind",
        "notes",
        "policy",
        "seen",
        "turns",
        "waits_for",
        "wanted",
        "why",
    )

    def __init__(
        self, kind: Kind, wanted: Wanted, policy: Policy, generation: int, tags: Tags
    ) -> None:
        self.kind = kind
        self.wanted = wanted
        self.policy = policy
        self.generation = generation
        self.turns: Turns[Msg] = Turns(tags, _left)
        self.why = Why()
        self.decision: Decision | None = None
        self.decided_at = 0.0
        self.notes: dict[str, tuple[float, bytes]] = {}
        self.waits_for: tuple[str, ...] = ()
        self.seen = -1

    def stand_still(self, accounts: tuple[str, ...], facts: int, why: str) -> None:
        """No account can take them now: until one of these has room, or the facts change."""
        self.waits_for, self.seen, self.why.text = accounts, facts, why

    def go_on(self) -> None:
        """They can be taken again."""
        self.waits_for, self.seen, self.why.text = (), -1, ""


class Channel:
    """All that waits for one channel."""

    def __init__(self, weight: Callable[[str], float], bulk_ratio: int) -> None:
        self._groups: dict[Kind, Group] = {}
        self._lanes: list[list[Group]] = [[] for _ in LANES]
        self._tags = [Tags(weight) for _ in LANES]
        self._order = Order(bulk_ratio)
        self._tidy_at = GROUPS_KEPT

    @property
    def waiting(self) -> int:
        """How many messages wait, with those that left unseen."""
        return sum(group.turns.count for group in self._groups.values())

    def waiting_in(self, lane: int) -> int:
        """How many wait in a lane."""
        return sum(group.turns.count for group in self._lanes[lane])

    def group(self, kind: Kind) -> Group | None:
        """The group of this kind, if there is one."""
        return self._groups.get(kind)

    def add_group(self, kind: Kind, wanted: Wanted, policy: Policy, generation: int) -> Group:
        """A new group; it takes the place of one whose facts are of an earlier generation."""
        if len(self._groups) >= self._tidy_at:
            self._tidy()
        group = Group(kind, wanted, policy, generation, self._tags[kind.lane])
        self._groups[kind] = group
        self._lanes[kind.lane].append(group)
        return group

    def next(self, free: Callable[[Group], bool]) -> tuple[Group | None, int]:
        """The group whose turn it is among those that are `free`, and how many of it may go
        before the next is asked for (0: any number)."""
        for lane in (OTP, ALERT):
            found = self._first(lane, free)
            if found is not None:
                return found, 0
        usual, bulk = self._first(TRANSACTIONAL, free), self._first(BULK, free)
        can_go = (False, False, usual is not None, bulk is not None)
        lane = self._order.next(can_go)
        return (bulk if lane == BULK else usual), self._order.at_most(lane, can_go)

    def went(self, group: Group, count: int, limited: bool) -> None:
        """So many of the group went; `limited`: another lane waited beside it."""
        if limited:
            self._order.went(group.kind.lane, count, (False, False, True, True))

    def _first(self, lane: int, free: Callable[[Group], bool]) -> Group | None:
        best, lowest = None, 0.0
        for group in self._lanes[lane]:
            if group.turns.count and free(group):
                tag = group.turns.head_tag()
                if tag is not None and (best is None or tag < lowest):
                    best, lowest = group, tag
        return best

    def _tidy(self) -> None:
        """Forget groups in which nothing waits."""
        for lane, groups in enumerate(self._lanes):
            self._lanes[lane] = [group for group in groups if group.turns.count]
        self._groups = {kind: g for kind, g in self._groups.items() if g.turns.count}
        self._tidy_at = max(GROUPS_KEPT, 2 * len(self._groups))

    def groups(self) -> list[Group]:
        """All groups, also those of an earlier generation that are not empty yet."""
        return [group for lane in self._lanes for group in lane]


def _left(msg: Msg) -> bool:
    """Whether it was parked or ended while it waited."""
    return msg.phase is not Phase.OFFERED
