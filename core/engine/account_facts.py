"""What others ask of the accounts at work in this process: by id, by channel."""

from collections.abc import Mapping

from core.clock import Clock
from core.decide.fair import TRANSACTIONAL
from core.decide.route import Candidate
from core.engine.accounts import Account
from core.templates.prices import prices_of


class AccountFacts:
    """Answers from memory."""

    def __init__(self, accounts: Mapping[str, Account], clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def state(self, account_id: str) -> str:
        """How the account is doing; "" if it is not at work here."""
        account = self._accounts.get(account_id)
        return "" if account is None else account.shown

    def is_silent(self, account_id: str) -> bool:
        """Whether it is at work and will never report what became of a message."""
        account = self._accounts.get(account_id)
        return account is not None and account.adapter is not None and not account.has_receipts

    def candidates(self, channel: str) -> list[Candidate]:
        """The channel's accounts as a decision sees them now."""
        now = self._clock.boot()
        return [
            each.candidate(TRANSACTIONAL, False, False, now)
            for each in self._accounts.values()
            if each.channel == channel
        ]

    def prices(self, channel: str, country: str) -> list[tuple[str, float]]:
        """What a message there costs through each account."""
        return prices_of(self.candidates(channel), country)
