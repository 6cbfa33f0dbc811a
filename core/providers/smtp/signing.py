"""Signing beside the event loop, for signatures that take long.

One thread for each account, so mails come out in the order in which they went in; at most as many
are in it as the account may have under way.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core.providers.port import Call
from core.providers.smtp.mime import Mail


class Signing:
    """`then` is called on the event loop with each mail once it is signed."""

    def __init__(self, sign: Callable[[Mail], Mail], then: Callable[[Call, Mail], None]) -> None:
        self._sign = sign
        self._then = then
        self._thread: ThreadPoolExecutor | None = None

    def put(self, call: Call, mail: Mail) -> None:
        """Sign this one when those before it are signed."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "signing")
        signed = asyncio.get_running_loop().run_in_executor(self._thread, self._sign, mail)
        signed.add_done_callback(lambda done: self._then(call, done.result()))

    def close(self) -> None:
        """End the thread after what it has in hand."""
        if self._thread is not None:
            self._thread.shutdown(wait=False)
