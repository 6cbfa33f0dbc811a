"""A small SMSC for tests: real TCP (or TLS), answers everything well unless a test says otherwise.

`on_submit` may be replaced to answer badly, late or not at all. What came in is kept in order:
`binds`, `submits`, `writes` (one entry for each piece of bytes read), `delivery_answers`.
"""

import asyncio
import ssl
from collections.abc import Callable

from core.providers.smpp import codec
from core.providers.smpp.codec import Bind, Pdu, PduReader, ShortMessage


class Link(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, smsc: "Smsc") -> None:
        self.smsc = smsc
        self.reader = PduReader()
        self.transport: asyncio.Transport | None = None
        self.lost_by: Exception | None = None
        self.closed = False
        self.unbound = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        self.smsc.links.append(self)
        if self.smsc.deaf:
            transport.pause_reading()  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_by = exc
        self.closed = True

    def data_received(self, data: bytes) -> None:
        self.smsc.writes.append(data)
        for pdu in self.reader.feed(data):
            self._take(pdu)

    def send(self, *pdus: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"".join(pdus))

    def reset(self) -> None:
        """End the connection at once."""
        assert self.transport is not None
        self.transport.abort()

    def accept(self, pdu: Pdu, message_id: str = "") -> None:
        """Answer a submit with "taken"."""
        self.send(codec.submit_sm_resp(pdu.sequence, 0, message_id or f"id-{pdu.sequence}"))

    def refuse(self, pdu: Pdu, status: int) -> None:
        self.send(codec.submit_sm_resp(pdu.sequence, status))

    def receipt(self, text: str, tlvs: dict[int, bytes] | None = None, esm_class: int = 4) -> int:
        """Deliver a receipt; its sequence number."""
        self.smsc.sequence += 1
        message = ShortMessage(
            source="447700900123",
            dest="GouTong",
            esm_class=esm_class,
            payload=text.encode(),
            tlvs=tlvs or {},
        )
        self.send(codec.deliver_sm(self.smsc.sequence, message))
        return self.smsc.sequence

    def _take(self, pdu: Pdu) -> None:
        smsc = self.smsc
        if pdu.command == codec.BIND_TRANSCEIVER:
            smsc.binds.append(codec.read_bind(pdu.body))
            smsc.on_bind(self, pdu)
        elif pdu.command == codec.SUBMIT_SM:
            message = codec.read_short_message(pdu.body)
            smsc.submits.append(message)
            smsc.on_submit(self, pdu, message)
        elif pdu.command == codec.DELIVER_SM_RESP:
            smsc.delivery_answers.append((pdu.sequence, pdu.status))
        elif pdu.command == codec.ENQUIRE_LINK:
            smsc.enquiries += 1
            if smsc.answers_enquiries:
                self.send(codec.bare(codec.ENQUIRE_LINK_RESP, pdu.sequence))
        elif pdu.command == codec.UNBIND:
            self.unbound = True
            self.send(codec.bare(codec.UNBIND_RESP, pdu.sequence))
        else:
            smsc.others.append(pdu)


OnSubmit = Callable[[Link, Pdu, ShortMessage], None]


def accept_bind(link: Link, pdu: Pdu) -> None:
    link.send(codec.bind_transceiver_resp(pdu.sequence, 0, "smsc"))


def accept_submit(link: Link, pdu: Pdu, message: ShortMessage) -> None:
    link.accept(pdu)


def say_nothing(link: Link, pdu: Pdu, message: ShortMessage) -> None:
    pass


class Smsc:
    """The server; `await start()` gives it a port of its own."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.on_bind: Callable[[Link, Pdu], None] = accept_bind
        self.on_submit: OnSubmit = accept_submit
        self.answers_enquiries = True
        self.deaf = False
        self.port = 0
        self.sequence = 0
        self.links: list[Link] = []
        self.binds: list[Bind] = []
        self.submits: list[ShortMessage] = []
        self.writes: list[bytes] = []
        self.delivery_answers: list[tuple[int, int]] = []
        self.others: list[Pdu] = []
        self.enquiries = 0
        self._tls = tls
        self._server: asyncio.Server | None = None

    @property
    def link(self) -> Link:
        """The newest connection."""
        return self.links[-1]

    async def start(self) -> None:
        """Listen; on the same port as before, if it listened before."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Link(self), "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        assert self._server is not None
        self._server.close()
        for link in self.links:
            link.reset()
        await asyncio.sleep(0)
        await self._server.wait_closed()
