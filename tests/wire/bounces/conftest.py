"""A listener for bounces with real sockets, on uvloop as the core has it, and who talks to it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from core.accounts.service import Accounts
from core.bounces.book import Book
from core.bounces.desk import Desk
from core.bounces.listener import BounceListener
from core.bounces.session import Bounds
from core.contract.ids import mint_keyed
from core.contract.log import silent
from core.contract.providers import ProviderIn
from core.providers.port import ReceiptIn
from core.providers.smtp.verp import Verp
from core.tenants.vault import Vault
from sync.store.entities_memory import MemoryEntities
from sync.store.feed import EntityFeed

DOMAIN = "bounces.example.com"
KEYS = {"mail-a": "a" * 32, "mail-b": "b" * 32}


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], Any]]:
    return {"uvloop": uvloop.new_event_loop}


def ref(number: int = 1, region: str = "local") -> str:
    """The name of an attempt as the engine makes it; the epoch is not carried."""
    return f"{mint_keyed(region, 7, 't', str(number), 0)}.{region}0123456789abcdef-n0-{number}-3.0"


def path(account: str = "mail-a", number: int = 1) -> str:
    """The return path of that attempt."""
    return Verp(DOMAIN, KEYS[account]).address(ref(number))


class Engine:
    """Takes receipts; `answer` says what becomes of each."""

    def __init__(self) -> None:
        self.receipts: list[tuple[str, ReceiptIn]] = []
        self.kinds: Counter[tuple[str, str]] = Counter()
        self.answer: Callable[[ReceiptIn], None] = lambda receipt: receipt.ack()

    def receive(self, account: str, receipt: ReceiptIn) -> None:
        self.receipts.append((account, receipt))
        self.answer(receipt)

    def told(self, account: str, kind: str) -> None:
        self.kinds[(account, kind)] += 1

    @property
    def said(self) -> list[tuple[str, str, str, str]]:
        """Account, reference, status and code of each receipt."""
        return [(a, r.ref, r.status, r.code) for a, r in self.receipts]


class Client:
    """A server that brings bounces, one command at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        assert (await client.reply()).startswith("220 ")
        return client

    async def reply(self) -> str:
        """The last line of a reply; "" at the end of the connection."""
        async with asyncio.timeout(10):
            line = await self.reader.readline()
            while line[3:4] == b"-":
                line = await self.reader.readline()
        return line.decode().rstrip("\r\n")

    async def ask(self, command: str | bytes) -> str:
        words = command.encode() if isinstance(command, str) else command
        self.writer.write(words + b"\r\n")
        return await self.reply()

    async def begin(self, to: str) -> str:
        """Greet and name the recipient; the reply to RCPT."""
        assert (await self.ask("EHLO mx.example.org")).startswith("250 ")
        assert (await self.ask("MAIL FROM:<>")).startswith("250 ")
        return await self.ask(f"RCPT TO:<{to}>")

    async def bring(self, to: str, text: str | bytes) -> str:
        """A whole mail; the final reply, or that to RCPT where it was refused."""
        reply = await self.begin(to)
        if not reply.startswith("250 "):
            return reply
        assert (await self.ask("DATA")).startswith("354 ")
        data = text.replace("\n", "\r\n").encode() if isinstance(text, str) else text
        stuffed = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:]
        return await self.ask(stuffed + b"\r\n.")

    def close(self) -> None:
        self.writer.close()


class House:
    """Everything that takes bounces, but the engine behind it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.entities = MemoryEntities()
        self.accounts = Accounts(self.entities, Vault(bytes(32)))
        self.feed = EntityFeed(self.entities, lambda error: None)
        self.tasks: set[asyncio.Future[None]] = set()
        self.book = Book(self.accounts, ("eu", "local"), silent(), self._spawn)
        self.book.watch(self.feed)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def put(self, account: str, *, enabled: bool = True, domain: str = DOMAIN) -> None:
        settings = {"host": "h", "from_address": "us@example.com", "bounce_domain": domain}
        secrets = {"bounce_key": KEYS[account]}
        given = ProviderIn(
            id=account,
            wire="smtp",
            channel="email",
            enabled=enabled,
            settings=settings,
            secrets=secrets,
        )
        await self.accounts.put(given, None)

    async def settle(self) -> None:
        """Until what changed is known."""
        await self.feed.poll()
        await asyncio.gather(*self.tasks)

    def listener(self, connections_max: int = 8, answer_ms: int = 5_000, **bounds: int) -> Any:
        base = {"mail_bytes_max": 1_000_000, "idle_ms": 5_000, "session_ms": 30_000}
        desk = Desk(self.book, self.engine.receive, self.engine.told, answer_ms)
        return BounceListener(desk, Bounds(**{**base, **bounds}), connections_max, silent())


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def house(engine: Engine) -> House:
    made = House(engine)
    await made.put("mail-a")
    await made.put("mail-b", enabled=False)
    await made.feed.start()
    await made.book.load()
    return made


@pytest.fixture
async def port(house: House) -> AsyncIterator[int]:
    listener = house.listener()
    await listener.start("127.0.0.1", 0)
    yield listener.port
    await listener.stop()
    assert listener.port == 0


@pytest.fixture
async def client(port: int) -> AsyncIterator[Client]:
    made = await Client.connect(port)
    yield made
    made.close()
