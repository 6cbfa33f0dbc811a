"""Rules of PROTOCOL.md taken away one at a time: what the simulator must find.

A mutation patches the code that runs in the simulator so that it lacks one rule; when its context
is left everything is as it was. Seeds must be simulated within that context and in that process.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from msgspec import Struct

INHERITED = object()


class Mutation(Struct, frozen=True):
    """A rule taken away.

    `rule` is the section of PROTOCOL.md that has it, `profile` the mixture of faults that finds
    it soonest, `patch` makes the context in which it is gone.
    """

    name: str
    rule: str
    profile: str
    patch: Callable[[], AbstractContextManager[None]]


@contextmanager
def patched(*changes: tuple[Any, str, Any]) -> Iterator[None]:
    """Set each (owner, name, value), and put back what was there, whatever happens meanwhile."""
    before = [(owner, name, vars(owner).get(name, INHERITED)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            if value is INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, value)
