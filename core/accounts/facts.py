"""What a routing decision needs of an account's configuration, computed once when it is loaded."""

from msgspec import Struct

from core.accounts.model import ProviderAccount
from core.contract.providers import Price
from core.contract.sections.common import RegionSettings
from core.decide.distance import distance_km
from core.decide.route import Reach, reach_of


class RouteFacts(Struct, frozen=True):
    """`distance_km` is from this region, None where one of both places is not known."""

    priority: int
    price: Price
    destinations: Reach
    distance_km: float | None


def facts_of(account: ProviderAccount, region: RegionSettings) -> RouteFacts:
    """The account's facts, seen from this region."""
    at = account.location
    far = None
    if at is not None and (region.latitude or region.longitude):
        far = distance_km(region.latitude, region.longitude, at.lat, at.lon)
    return RouteFacts(account.priority, account.price, reach_of(account.destinations), far)
