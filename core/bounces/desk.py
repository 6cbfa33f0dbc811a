"""What becomes of each mail that came to a return path: counted, and journaled if it says anything.

`take` answers whether the mail may be acknowledged: True once its receipt is journaled, or where
there is nothing to journal; False if the receipt was refused for now or took longer than
`answer_ms`, so that the sender's server brings it again. A repeat changes nothing.
"""

import asyncio
from collections.abc import Callable

from core.bounces.book import Book, Target
from core.bounces.judge import judge
from core.bounces.verdict import Ignored
from core.providers.port import ReceiptIn


class Desk:
    """`receive` is the engine's door for receipts; `on_told(account, kind)` counts."""

    def __init__(
        self,
        book: Book,
        receive: Callable[[str, ReceiptIn], None],
        on_told: Callable[[str, str], None],
        answer_ms: int,
    ) -> None:
        self.book = book
        self._receive = receive
        self._on_told = on_told
        self._answer_s = answer_ms / 1000

    def refused(self) -> None:
        """Somebody wrote to an address that is none of ours."""
        self._on_told("", "refused")

    async def take(self, target: Target | None, data: bytes) -> bool:
        """A mail to a return path (`target`), or to the mailbox for feedback (None)."""
        verdict = await asyncio.to_thread(judge, data)
        if isinstance(verdict, Ignored):
            self._on_told(target.account if target else "", verdict.why)
            return True
        if target is None:
            # Here the report itself has to name a return path that we signed.
            target = self.book.target(verdict.original_path)
            if target is None or verdict.status != "complained":
                self._on_told("", "unclaimed")
                return True
        stands: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def told(answer: bool) -> None:
            if not stands.done():
                stands.set_result(answer)

        receipt = ReceiptIn(
            "",
            verdict.status,
            lambda: told(True),
            lambda: told(False),
            ref=target.ref,
            code=verdict.code,
            detail=verdict.detail,
        )
        self._on_told(target.account, verdict.status)
        self._receive(target.account, receipt)
        try:
            return await asyncio.wait_for(stands, self._answer_s)
        except TimeoutError:
            return False
