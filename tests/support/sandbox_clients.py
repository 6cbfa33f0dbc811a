"""Raw clients for the sandbox: an SMPP client that does nothing by itself, and HTTP in one line."""

import asyncio
from typing import Any

import aiohttp

from core.providers.smpp import codec
from core.providers.smpp.codec import Bind, Pdu, PduReader, ShortMessage
from core.providers.smpp.receipt_text import ReceiptText, read_receipt
from core.providers.smpp.udh import split
from core.sandbox.app import Sandbox
from tests.support.wait import until


class SmppClient(asyncio.Protocol):
    """One connection to the SMSC. All that comes is in `pdus`."""

    def __init__(self, acknowledges: bool) -> None:
        self.acknowledges = acknowledges
        self.pdus: list[Pdu] = []
        self.closed = False
        self.lost_by: Exception | None = None
        self.sequence = 0
        self._reader = PduReader()
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def connect(
        cls,
        port: int,
        *,
        bind: int | None = codec.BIND_TRANSCEIVER,
        password: str = "sandbox",
        acknowledges: bool = True,
    ) -> "SmppClient":
        """A connection, bound unless `bind` is None."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(acknowledges), "127.0.0.1", port)
        if bind is not None:
            answer = await client.bind(bind, password=password)
            assert answer.status == 0
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        self.lost_by = error

    def data_received(self, data: bytes) -> None:
        for pdu in self._reader.feed(data):
            self.pdus.append(pdu)
            if pdu.command == codec.DELIVER_SM and self.acknowledges:
                self.send(codec.deliver_sm_resp(pdu.sequence))

    def send(self, *pdus: bytes) -> None:
        """Write in one piece."""
        assert self._transport is not None
        self._transport.write(b"".join(pdus))

    def next_sequence(self) -> int:
        self.sequence += 1
        return self.sequence

    async def ask(self, pdu: bytes, sequence: int, timeout_s: float = 10) -> Pdu:
        """Send a request and wait for its answer."""
        self.send(pdu)
        return await self.answer(sequence, timeout_s)

    async def answer(self, sequence: int, timeout_s: float = 10) -> Pdu:
        """The answer to a request that was sent."""

        def found() -> Pdu | None:
            for pdu in self.pdus:
                if pdu.sequence == sequence and pdu.command & codec.RESPONSE_BIT:
                    return pdu
            return None

        answer = await until(found, timeout_s)
        assert isinstance(answer, Pdu)
        return answer

    async def bind(
        self,
        command: int = codec.BIND_TRANSCEIVER,
        system_id: str = "sandbox",
        password: str = "sandbox",
    ) -> Pdu:
        sequence = self.next_sequence()
        pdu = codec.bind_transceiver(sequence, Bind(system_id, password))
        header = codec.pack_header(len(pdu), command, 0, sequence)
        return await self.ask(header + pdu[16:], sequence)

    def message(self, text: str = "hello", **fields: Any) -> tuple[int, bytes]:
        """A submit_sm that wants a receipt, and its sequence number. `ref` goes into its TLV."""
        ref = fields.pop("ref", "m1.1.1")
        coding, payload = fields.pop("coded", None) or _coded(text)
        fields = {"source": "1000", "dest": "447700900123", "dest_ton": 1, **fields}
        fields.setdefault("registered_delivery", 1)
        fields.setdefault("tlvs", {0x1400: ref.encode()} if ref is not None else {})
        sequence = self.next_sequence()
        message = ShortMessage(payload=payload, data_coding=coding, **fields)
        return sequence, codec.submit_sm(sequence, message)

    async def submit(self, text: str = "hello", **fields: Any) -> Pdu:
        """Submit a short message and wait for its answer."""
        sequence, pdu = self.message(text, **fields)
        return await self.ask(pdu, sequence)

    def parts(self, text: str, reference: int, ref: str) -> list[tuple[int, bytes]]:
        """The parts of a long message, with their sequence numbers."""
        cut = split(text, reference)
        return [
            self.message(coded=(cut.data_coding, payload), ref=ref, esm_class=codec.ESM_UDHI)
            for payload in cut.payloads
        ]

    async def alive(self) -> bool:
        """Whether the SMSC answers enquire_link."""
        sequence = self.next_sequence()
        answer = await self.ask(codec.bare(codec.ENQUIRE_LINK, sequence), sequence)
        return answer.command == codec.ENQUIRE_LINK_RESP

    def deliveries(self) -> list[Pdu]:
        """The deliver_sm that came, repeats included."""
        return [pdu for pdu in self.pdus if pdu.command == codec.DELIVER_SM]

    def receipts(self) -> list[ReceiptText]:
        """What they say."""
        return [read_receipt(codec.read_short_message(pdu.body)) for pdu in self.deliveries()]

    async def receipts_are(self, count: int, timeout_s: float = 10) -> list[ReceiptText]:
        """Wait for so many receipts."""
        await until(lambda: len(self.deliveries()) >= count, timeout_s)
        return self.receipts()

    def close(self) -> None:
        """Go away in order."""
        if self._transport is not None:
            self._transport.close()

    async def is_gone(self) -> None:
        """Wait until the connection has ended."""
        await until(lambda: self.closed)


def _coded(text: str) -> tuple[int, bytes]:
    cut = split(text, 0)
    assert len(cut.payloads) == 1
    return cut.data_coding, cut.payloads[0]


class Http:
    """The HTTP doors of a sandbox. Answers are (status, JSON)."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; a body that is not bytes is sent as JSON."""
        kind = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self._session.request(
            method, self.url + path, **(kind if body is not None else {})
        ) as response:
            if response.status >= 400:
                assert response.content_type == "application/problem+json"
            return response.status, await response.json(content_type=None)

    async def history(self, after: int = 0, limit: int = 10_000) -> list[dict[str, Any]]:
        """The entries of one page."""
        status, page = await self.ask("GET", f"/sandbox/history?after={after}&limit={limit}")
        assert status == 200
        assert page["next"] == (page["data"][-1]["seq"] if page["data"] else after)
        entries: list[dict[str, Any]] = page["data"]
        return entries

    async def behave(self, provider: str, **changes: object) -> Any:
        """Change a provider's behaviour; the whole of it."""
        status, behaviour = await self.ask("PUT", f"/sandbox/behaviour/{provider}", changes)
        assert status == 200, behaviour
        return behaviour


def doors(session: aiohttp.ClientSession, box: Sandbox) -> Http:
    """The doors of a sandbox in this process."""
    return Http(session, box.url)
