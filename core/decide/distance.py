"""How far it is from one place to another, on a round earth. Pure."""

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6371.0


def distance_km(lat: float, lon: float, to_lat: float, to_lon: float) -> float:
    """Kilometres between two places in degrees."""
    phi, to_phi = radians(lat), radians(to_lat)
    north, east = (to_phi - phi) / 2, radians(to_lon - lon) / 2
    half = sin(north) ** 2 + cos(phi) * cos(to_phi) * sin(east) ** 2
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(half)))
