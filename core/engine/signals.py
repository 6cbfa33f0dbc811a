"""Signals between cores over core NATS (DESIGN.md 6): beats, and questions for rows.

Each core says every 200 ms who it is, its lease's counter and how far its logs are, so that
others read what is new at once instead of polling. Nothing depends on it: without NATS, or when a
beat is lost, the store is polled. Full state, own sequence, late beats are dropped.

Where the regions' NATS servers are joined, beats reach the cores of all of them. The publisher's
region stands in the subject, and servers let each region publish under its own name only: a beat
that names another one, or that cannot be read, is dropped, counted, and told once in a while.

A core of another region that misses rows of a log asks for them under a subject with its own
region's name; one core of those here gets the question.
Questions go out with the next beat. Those that wait beyond a bound, the oldest first, and those
that cannot be sent are dropped: whoever misses the rows asks again.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Annotated

import msgspec
import nats
from msgspec import Meta, Struct
from nats.aio.client import Client
from nats.aio.msg import Msg as NatsMsg

from core.contract.log import Log
from core.contract.sections.common import NatsSettings

BEAT_S = 0.2
QUESTIONS_MAX = 256
LOG_NAME_MAX = 200
SEEN_MAX = 1024
TOLD_EVERY_S = 60.0


class Beat(Struct, frozen=True, array_like=True):
    """What a core says of itself. `seq` rises; `rows` maps its logs to their last durable row.

    One that is `draining` takes no shards, and gives away those that it has.
    """

    incarnation: str
    seq: int
    counter: int
    rows: dict[str, int]
    region: str = ""
    draining: bool = False


class RowsWanted(Struct, frozen=True, array_like=True):
    """A core misses the rows of a log from `first` on; any core of the writer's region has them."""

    log: Annotated[str, Meta(max_length=LOG_NAME_MAX)]
    first: int


_beats = msgspec.msgpack.Decoder(Beat)
_questions = msgspec.msgpack.Decoder(RowsWanted)


class Signals:
    """Publishes own beats, hands others' to `on_beat`; asks for rows, hands what is asked of this
    region to `on_row_asked`. Implements `core.engine.asking_rows.Neighbours`.
    """

    def __init__(
        self,
        settings: NatsSettings,
        region: str,
        incarnation: str,
        state: Callable[[], tuple[int, dict[str, int], bool]],
        on_beat: Callable[[Beat], None],
        on_row_asked: Callable[[str, int], None],
        log: Log,
    ) -> None:
        self._settings = settings
        self._region = region
        self._subject = _beat(region)
        self._incarnation = incarnation
        self._state = state
        self._on_beat = on_beat
        self._on_row_asked = on_row_asked
        self._questions: deque[tuple[str, RowsWanted]] = deque(maxlen=QUESTIONS_MAX)
        self._log = log
        self._seen: dict[str, int] = {}
        self.refused = 0
        self._told_s = -TOLD_EVERY_S
        self._seq = 0
        self._client: Client | None = None

    @property
    def connected(self) -> bool:
        """Whether beats go out now."""
        return self._client is not None and self._client.is_connected

    def ask_row(self, region: str, log: str, first: int) -> None:
        """Have a core of that region write the log's rows from `first` on again at quorum."""
        if self.connected:
            self._questions.append((region, RowsWanted(log, first)))

    async def run(self) -> None:
        """Connect, and go on connecting, until cancelled; then close."""
        try:
            while True:
                try:
                    await self._beat_forever()
                except (OSError, nats.errors.Error, TimeoutError) as error:
                    self._log.warning("no signals", error=type(error).__name__)
                await asyncio.sleep(self._settings.reconnect_wait_ms / 1000)
        finally:
            await self._close()

    async def _beat_forever(self) -> None:
        await self._close()
        self._client = await nats.connect(
            self._settings.url,
            connect_timeout=self._settings.connect_timeout_ms / 1000,
            allow_reconnect=False,
            ping_interval=1,
            max_outstanding_pings=2,
            pending_size=self._settings.pending_bytes_max,
            error_cb=self._on_error,
        )
        await self._client.subscribe(_beat("*"), cb=self._received)
        await self._client.subscribe(_missing("*", self._region), "cores", self._asked)
        while self._client.is_connected:
            self._seq += 1
            counter, rows, draining = self._state()
            beat = Beat(self._incarnation, self._seq, counter, rows, self._region, draining)
            await self._client.publish(self._subject, msgspec.msgpack.encode(beat))
            while self._questions:
                region, wanted = self._questions.popleft()
                subject = _missing(self._region, region)
                await self._client.publish(subject, msgspec.msgpack.encode(wanted))
            await self._client.flush(timeout=2)
            await asyncio.sleep(BEAT_S)

    async def _received(self, message: NatsMsg) -> None:
        try:
            beat = _beats.decode(message.data)
        except msgspec.MsgspecError as error:
            self._refuse(message.subject, str(error))
            return
        if message.subject != _beat(beat.region):
            self._refuse(message.subject, f"it names region {beat.region[:LOG_NAME_MAX]!r}")
            return
        if beat.incarnation == self._incarnation or beat.seq <= self._seen.get(beat.incarnation, 0):
            return
        self._seen[beat.incarnation] = beat.seq
        while len(self._seen) > SEEN_MAX:
            self._seen.pop(next(iter(self._seen)))
        self._on_beat(beat)

    def _refuse(self, subject: str, why: str) -> None:
        """A beat that is none. A region of another release sends five a second."""
        self.refused += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_s >= TOLD_EVERY_S:
            self._told_s = now
            self._log.warning("a beat is refused", subject=subject, why=why, refused=self.refused)

    async def _asked(self, message: NatsMsg) -> None:
        try:
            wanted = _questions.decode(message.data)
        except msgspec.MsgspecError as error:
            why, subject = str(error), message.subject
            self._log.warning("a request for rows is refused", subject=subject, why=why)
        else:
            self._on_row_asked(wanted.log, wanted.first)

    async def _on_error(self, error: Exception) -> None:
        self._log.debug("signals", error=str(error))

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, nats.errors.Error, TimeoutError):
                await client.close()


def _beat(region: str) -> str:
    return f"goutong.{region}.beat"


def _missing(asker: str, writer: str) -> str:
    """The publisher's region comes first, so that each region may publish under its name only."""
    return f"goutong.{asker}.missing.{writer}"
