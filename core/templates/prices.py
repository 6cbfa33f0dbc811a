"""What accounts take for one part of a message to a country. Pure."""

from collections.abc import Iterable

from core.decide.route import Candidate


def prices_of(candidates: Iterable[Candidate], country: str) -> list[tuple[str, float]]:
    """Accounts that go there with their price, cheapest first; an empty country is any."""
    found = [
        (each.price.by_country.get(country, each.price.amount), each.id)
        for each in candidates
        if not country
        or (
            country not in each.destinations.deny
            and (not each.destinations.allow or country in each.destinations.allow)
        )
    ]
    return [(account, amount) for amount, account in sorted(found)]
