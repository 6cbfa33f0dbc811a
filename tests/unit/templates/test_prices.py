"""What a preview says that accounts take: those that go there, cheapest first."""

from core.contract.providers import Price
from core.decide.route import Candidate, Reach
from core.templates.prices import prices_of


def account(name: str, price: Price, *, allow: str = "", deny: str = "") -> Candidate:
    reach = Reach(frozenset(filter(None, [allow])), frozenset(filter(None, [deny])))
    return Candidate(id=name, channel="sms", price=price, destinations=reach)


def test_prices_of_accounts_that_go_there() -> None:
    accounts = [
        account("dear", Price(0.09)),
        account("mixed", Price(0.07, {"GB": 0.03})),
        account("home", Price(0.01), allow="FR"),
        account("shut", Price(0.0), deny="GB"),
    ]
    assert prices_of(accounts, "GB") == [("mixed", 0.03), ("dear", 0.09)]
    assert prices_of(accounts, "FR")[:2] == [("shut", 0.0), ("home", 0.01)]
    assert [name for name, _ in prices_of(accounts, "")] == ["shut", "home", "mixed", "dear"]
