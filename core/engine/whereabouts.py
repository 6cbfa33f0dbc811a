"""Where a message is looked after, as this core knows: its shard's owner, and who may be asked.

The owner alone knows what is under way, so it is asked first. A core of a region that may not
journal the message's home has nothing of it in its own store: it can only ask those that may.
"""

from collections.abc import Mapping

from core.contract.ids import parse_id
from core.engine.homes import HomeWork
from core.engine.membership import Membership
from sync.naming import home_of, log_name
from sync.placement import may_act, regions_of

# An incarnation is its region's name and sixteen digits.
_RANDOM_DIGITS = 16


class Whereabouts:
    """See the module's docstring."""

    def __init__(self, homes: Mapping[str, HomeWork], membership: Membership) -> None:
        self._homes = homes
        self._membership = membership

    def knows_home(self, message_id: str) -> bool:
        """Whether this core works for the message's home."""
        return home_of(message_id) in self._homes

    def here(self, message_id: str) -> bool:
        """Whether this region may journal the message, so that its store has what is known."""
        accepting, region = self._membership.maps.book.accepting, self._membership.region
        return may_act(accepting, home_of(message_id), region)

    def owner_of(self, message_id: str) -> tuple[str, int]:
        """The owner of the message's shard and its epoch, as the shard rows said last."""
        work, named = self._homes.get(home_of(message_id)), parse_id(message_id)
        row = None if work is None or named is None else work.ownership.shards.rows.get(named.shard)
        return ("", 0) if row is None else (row.owner, row.epoch)

    def urls(self, message_id: str) -> list[str]:
        """Where to ask before this core answers itself; the owner first."""
        owner, _ = self.owner_of(message_id)
        membership = self._membership
        if self.here(message_id):
            url = membership.url_of(owner)
            return [url] if url else []
        regions = regions_of(membership.maps.book.accepting, home_of(message_id))
        others = [one for one in membership.members.leases if self.region_of(one) in regions]
        urls = (membership.url_of(one) for one in dict.fromkeys([owner, *sorted(others)]))
        return [url for url in urls if url]

    def region_of(self, incarnation: str) -> str:
        """Where a core runs or ran; "" where nobody knows."""
        known = self._membership.members.region_of(incarnation)
        return known or incarnation[:-_RANDOM_DIGITS]

    def region_of_log(self, log: str) -> str:
        """The region whose core wrote the log."""
        return self.region_of(log_name(log).incarnation)

    def silent_regions(self, message_id: str) -> list[str]:
        """The regions that may have taken the message in, and of which no core is heard."""
        membership = self._membership
        heard = {membership.region} | {
            self.region_of(one) for one in membership.members.leases if membership.hears(one)
        }
        regions = regions_of(membership.maps.book.accepting, home_of(message_id))
        return [region for region in regions if region not in heard]
