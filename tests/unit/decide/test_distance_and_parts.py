"""Distances on the earth, what an account's place makes of them, and billed parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.accounts.facts import facts_of
from core.accounts.model import ProviderAccount
from core.contract.providers import Destinations, Location
from core.contract.sections.common import RegionSettings
from core.decide.distance import distance_km
from core.decide.parts import parts_of

lats, lons = st.floats(-90, 90), st.floats(-180, 180)


def test_london_to_new_york() -> None:
    assert distance_km(51.5, -0.13, 40.7, -74.0) == pytest.approx(5570, rel=0.01)


@given(lats, lons, lats, lons)
def test_a_distance_is_the_same_both_ways_and_at_most_half_around(
    lat: float, lon: float, to_lat: float, to_lon: float
) -> None:
    far = distance_km(lat, lon, to_lat, to_lon)
    assert 0 <= far <= 20_016
    assert far == pytest.approx(distance_km(to_lat, to_lon, lat, lon), abs=1e-3)
    assert distance_km(lat, lon, lat, lon) == 0


def test_an_account_has_a_distance_where_both_places_are_known() -> None:
    here = RegionSettings(latitude=51.5, longitude=-0.13)
    account = ProviderAccount(
        "a",
        "smpp",
        "sms",
        priority=3,
        destinations=Destinations(deny=["KP"]),
        location=Location(40.7, -74.0),
    )
    facts = facts_of(account, here)
    assert facts.distance_km == pytest.approx(5570, rel=0.01)
    assert (facts.priority, facts.destinations.deny) == (3, {"KP"})
    assert facts_of(account, RegionSettings()).distance_km is None
    assert facts_of(ProviderAccount("b", "smpp", "sms"), here).distance_km is None


@pytest.mark.parametrize(
    ("channel", "text", "parts"),
    [
        ("sms", "", 1),
        ("sms", "a" * 160, 1),
        ("sms", "a" * 161, 2),
        ("sms", "{" * 80, 1),
        ("sms", "{" * 81, 2),
        ("sms", "沟" * 70, 1),
        ("sms", "沟" * 71, 2),
        ("sms", "a" * 1_000_000, 255),
        ("email", "a" * 1000, 1),
    ],
)
def test_parts(channel: str, text: str, parts: int) -> None:
    assert parts_of(channel, text) == parts
