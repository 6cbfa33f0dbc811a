"""What one text message costs the SMPP adapter: `python -m tests.wire.smpp.cost [messages]`.

The SMSC runs in a process of its own; only this process's CPU time counts. Printed are the
microseconds for a submit with its response, and for a receipt with its acknowledgement, the
difference of a run with and one without receipts. An empty loop of the harness (calls made and
told without an adapter) is taken off.
"""

import asyncio
import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection
from random import Random

import uvloop

from core.providers.port import Call, Outcome, OutMessage, ReceiptIn
from core.providers.smpp import Settings, codec
from core.providers.smpp.adapter import SmppAdapter
from tests.support.smsc import Link, Smsc

TEXT = "Your code is 123456. It is valid for five minutes; do not give it to anyone."


def serve(pipe: Connection) -> None:
    """The SMSC's process; sends receipts (the customary text) after each answer if told so."""

    async def run() -> None:
        smsc = Smsc()
        await smsc.start()
        receipt = "id:{} sub:001 dlvrd:001 submit date:2601011200 done date:2601011200 "
        receipt += "stat:DELIVRD err:000 text:Your code is 1234"

        def answer(link: Link, pdu: codec.Pdu, message: codec.ShortMessage) -> None:
            link.accept(pdu, f"{pdu.sequence:x}")
            if message.registered_delivery:
                link.receipt(receipt.format(f"{pdu.sequence:x}"))
            smsc.submits.clear()
            smsc.writes.clear()
            smsc.delivery_answers.clear()

        smsc.on_submit = answer
        pipe.send(smsc.port)
        await asyncio.to_thread(pipe.recv)

    uvloop.run(run())


class Load:
    """Keeps the window full until every message has its outcome (and its receipt)."""

    def __init__(self, messages: int, receipts: bool) -> None:
        self.left = self.open = messages
        self.receipts_open = messages if receipts else 0
        self.failed = 0
        self.finished = asyncio.get_running_loop().create_future()
        self.adapter: SmppAdapter | None = None

    def submit(self) -> None:
        self.left -= 1
        message = OutMessage("m.1.1", f"+4477{self.left:08d}", "GouTong", TEXT)
        call = Call(message, self.guard, self.done)
        if self.adapter is not None:
            self.adapter.submit(call)
        else:
            asyncio.get_running_loop().call_soon(call.done, Outcome("accepted"))

    def guard(self) -> bool:
        return True

    def done(self, outcome: Outcome) -> None:
        self.open -= 1
        self.failed += outcome.kind != "accepted"
        if self.left:
            self.submit()
        self._look()

    def receipt(self, receipt: ReceiptIn) -> None:
        receipt.ack()
        self.receipts_open -= 1
        self._look()

    def _look(self) -> None:
        if self.open == 0 and self.receipts_open == 0:
            self.finished.set_result(None)

    def late(self, ref: str, outcome: Outcome) -> None:
        raise AssertionError(ref)

    def changed(self) -> None:
        pass

    def fault(self, detail: str) -> None:
        raise AssertionError(detail)


async def run(port: int | None, messages: int, receipts: bool) -> float:
    """CPU microseconds for each message."""
    load = Load(messages, receipts)
    if port is not None:
        settings = Settings(host="127.0.0.1", port=port, system_id="us", receipts=receipts)
        loop = asyncio.get_running_loop()
        load.adapter = SmppAdapter("acc", settings, "pw", load, loop, Random(1))
        await load.adapter.start()
        while load.adapter.capacity() == 0:
            await asyncio.sleep(0.01)
    began = time.process_time()
    for _ in range(50):
        load.submit()
    await load.finished
    spent = time.process_time() - began
    if load.adapter is not None:
        await load.adapter.stop(100)
    assert load.failed == 0
    return spent / messages * 1e6


def main() -> None:
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    here, there = multiprocessing.Pipe()
    smsc = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    smsc.start()
    port = here.recv()
    submits, receipts = [], []
    for _ in range(5):
        harness = uvloop.run(run(None, messages, receipts=False))
        plain = uvloop.run(run(port, messages, receipts=False))
        both = uvloop.run(run(port, messages, receipts=True))
        submits.append(plain - harness)
        receipts.append(both - plain)
    here.send(None)
    smsc.join()
    print(f"{messages} messages, window 50, 5 runs, medians")
    print(f"submit with response: {statistics.median(submits):.1f} us CPU")
    print(f"receipt with its answer: {statistics.median(receipts):.1f} us CPU")


if __name__ == "__main__":
    main()
