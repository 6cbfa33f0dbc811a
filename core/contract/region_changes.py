"""What operators ask of regions: drain, return, force, join; and what is answered."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.contract.sections.regions import RegionName

Reason = Annotated[str, Meta(min_length=1, max_length=200)]


class DrainIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a region is taken out; shown wherever its state is."""

    reason: Reason


class ForceIn(Struct, frozen=True, forbid_unknown_fields=True):
    """That whoever forces ownership knows what it costs: what the lost regions still held may go
    out twice."""

    accept_duplicates: Literal[True]


class JoinIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The regions whose stores were repaired since ownership was forced, and the repair checked."""

    repaired: Annotated[list[RegionName], Meta(min_length=1, max_length=64)]


class ServingOut(Struct, frozen=True):
    """A region as the serving set has it. `reason` says why it is out."""

    name: str
    state: Literal["serving", "draining", "drained", "returning"]
    share_pct: int
    reason: str


class ServingSetOut(Struct, frozen=True):
    """The serving set as it stands after a change; the version rises with each."""

    version: int
    data: list[ServingOut]


class ForcedOut(Struct, frozen=True):
    """Who may own from now on: the one region that is `alone`, these regions together, or nobody
    while they pause."""

    number: int
    alone: bool
    regions: list[str]
