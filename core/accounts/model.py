"""What is kept of a provider account, and what is handed to the engine."""

from typing import Any

from msgspec import Struct, field

from core.contract.providers import AccountLimits, Destinations, Location, Price
from core.contract.requests import ChannelName


class ProviderAccount(Struct, frozen=True):
    """A configured account on one wire. `secrets` are sealed texts by field."""

    id: str
    wire: str
    channel: ChannelName
    enabled: bool = True
    priority: int = 100
    settings: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    price: Price = field(default_factory=Price)
    destinations: Destinations = field(default_factory=Destinations)
    limits: AccountLimits = field(default_factory=AccountLimits)
    location: Location | None = None


class StoredAccount(Struct, frozen=True):
    """An account with its version."""

    version: int
    account: ProviderAccount


class Opened(Struct, frozen=True):
    """What an adapter is made from: the wire's settings, and the secrets in clear."""

    settings: Struct
    secrets: dict[str, str]

    def __repr__(self) -> str:
        return f"Opened(settings={self.settings!r}, secrets={sorted(self.secrets)})"

    def __rich_repr__(self) -> Any:
        yield "settings", self.settings
        yield "secrets", sorted(self.secrets)


class Fault(Struct, frozen=True):
    """Why an account cannot be used; fit for a state that people read."""

    reason: str
