"""Which core takes a call. Decides only; does nothing.

Calls with an idempotency key go to the same core each time, so that this one knows what runs and
what it answered: rendezvous hashing over all configured cores, the next best while that one has no
connection. Calls without a key take turns. A core that has been silent for too long is chosen only
when there is no other, until it says something again.

Where the region's own cores can take nothing, those of the other regions can, in the order in which
the regions are given.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from edge.links import Link


def rendezvous(cores: Sequence[str], tenant: str, key: str) -> list[str]:
    """The cores in this key's order of preference: the same on every edge, and nothing moves
    between two cores when a third one comes or goes."""
    if len(cores) == 1:
        return list(cores)
    what = f"{len(tenant)}:{tenant}{key}".encode()

    def weight(core: str) -> bytes:
        return blake2b(what, digest_size=8, key=core.encode()[:64]).digest()

    return sorted(cores, key=weight, reverse=True)


class CoreSet:
    """The links, by the core they lead to; `names` are the cores of the own region."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._links: dict[str, list[Link]] = {}
        self.names: list[str] = []
        self._far: dict[str, list[str]] = {}
        for link in links:
            if link.name not in self._links:
                self._links[link.name] = []
                names = self._far.setdefault(link.region, []) if link.region else self.names
                names.append(link.name)
            self._links[link.name].append(link)
        self.links = [link for of_core in self._links.values() for link in of_core]
        self._silent: set[str] = set()
        self._turns = 0

    @property
    def several(self) -> bool:
        """Whether there is more than one core to go to."""
        return len(self._links) > 1

    def choose(
        self, order: Sequence[str] | None, tenant: str = "", key: str | None = None
    ) -> Link | None:
        """The link for a call that prefers the own cores in this order; None: in turn.

        Those of another region are preferred as the call's key says.
        """
        names = self.names if order is None else order
        start = 0
        if order is None and len(names) > 1:
            self._turns += 1
            start = self._turns % len(names)
        fallback = None
        for place in range(len(names)):
            name = names[(start + place) % len(names)]
            link = self.best(name)
            if link is not None:
                if name not in self._silent:
                    return link
                fallback = fallback or link
        return self._farther(tenant, key, fallback) if self._far else fallback

    def _farther(self, tenant: str, key: str | None, fallback: Link | None) -> Link | None:
        for names in self._far.values():
            for name in names if key is None else rendezvous(names, tenant, key):
                link = self.best(name)
                if link is not None:
                    if name not in self._silent:
                        return link
                    fallback = fallback or link
        return fallback

    def best(self, name: str) -> Link | None:
        """The link to this core with the least under way, if any can be used."""
        links = self._links[name]
        if len(links) == 1:
            return links[0] if links[0].usable else None
        usable = [link for link in links if link.usable]
        return min(usable, key=lambda link: len(link.in_flight)) if usable else None

    def leave_silent(self, name: str) -> bool:
        """Avoid this core from now on, if there is another one that talks."""
        if not any(
            other != name and other not in self._silent and self.best(other)
            for other in self._links
        ):
            return False
        self._silent.add(name)
        return True

    def heard(self, name: str) -> None:
        """The core said something."""
        if self._silent:
            self._silent.discard(name)
