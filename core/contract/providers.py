"""Provider accounts as the API takes and shows them: wire, channel, price, destinations, limits.

Prices of all accounts are in one currency, whichever the installation's owner thinks in. Countries
are ISO 3166 alpha-2 in capitals; "ZZ" stands for numbers of no country.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from core.contract.requests import ChannelName
from core.contract.resources import Name, Page

Country = Annotated[
    str,
    Meta(
        pattern="^[A-Z]{2}$",
        description="two capital letters (ISO 3166 alpha-2)",
        examples=["GB"],
    ),
]
Amount = Annotated[float, Meta(ge=0, le=1_000_000)]
Countries = Annotated[list[Country], Meta(max_length=300)]


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """What one part of a message costs; a country that is not named costs `amount`."""

    amount: Amount = 0.0
    by_country: Annotated[dict[Country, Amount], Meta(max_length=300)] = field(default_factory=dict)


class Destinations(Struct, frozen=True, forbid_unknown_fields=True):
    """Where an account sends: the countries allowed (none named: all), less those denied."""

    allow: Countries = field(default_factory=list)
    deny: Countries = field(default_factory=list)


class AccountLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """How much an account may be given: messages a second, messages a day (UTC), calls at once.
    What is left out is limited by the wire alone."""

    per_second: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    per_day: Annotated[int, Meta(ge=1, le=1_000_000_000_000)] | None = None
    concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class Location(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the provider's servers stand, in degrees."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class ProviderPut(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider account without its id, or with it: the path of a PUT has it."""

    id: Name | None = None
    wire: Annotated[str, Meta(description="the adapter", examples=["smpp", "smtp"])]
    channel: ChannelName
    enabled: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] | None = None
    priority: Annotated[int, Meta(ge=0, le=1000, description="lower is tried first")] = 100
    price: Price = field(default_factory=Price)
    destinations: Destinations = field(default_factory=Destinations)
    limits: AccountLimits = field(default_factory=AccountLimits)
    location: Location | None = None


class ProviderIn(ProviderPut, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A provider account. `secrets` are written, never read back; left out on a replacement, the
    ones that are there stay."""

    id: Name


class ProviderOut(Struct, frozen=True, kw_only=True):
    """A provider account with its state: `up`, `connecting`, `down: <why>`, `fault: <why>`..."""

    id: str
    wire: str
    channel: ChannelName
    enabled: bool
    settings: dict[str, Any]
    secrets: Annotated[list[str], Meta(description="the names only")]
    priority: int
    price: Price
    destinations: Destinations
    limits: AccountLimits
    location: Location | None
    state: str
    version: int


class ProviderPage(Page, frozen=True):
    data: list[ProviderOut]
