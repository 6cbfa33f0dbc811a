"""The one session of a process: requests go out bounded, replies come back in groups.

The driver answers on a thread of its own. Each reply is put on a deque, and the event loop is woken
once for all that came meanwhile: that is half of what a wake-up for each would cost. At most
`requests_max` requests are under way, others wait in order; what decides about leases and shards
goes ahead of them. The driver itself repeats nothing, and never asks another datacentre's nodes:
their LOCAL_QUORUM would be another region's.
"""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import (
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.query import BatchStatement, BatchType, dict_factory, tuple_factory

from sync.store.cassandra.errors import HOPELESS, said
from sync.store.cassandra.settings import CassandraSettings, Tls
from sync.store.port import StoreError

SWAP = "swap"
SCHEMA_AGREES_S = 10
RECONNECT_S = 1.0
Told = Callable[[Any, BaseException | None], None]


class Request:
    """A statement with its values, or several as one batch of one partition."""

    __slots__ = ("level", "parts", "serial")

    def __init__(
        self, parts: list[tuple[Any, Sequence[Any]]], level: int, serial: int | None = None
    ) -> None:
        self.parts = parts
        self.level = level
        self.serial = serial

    def statement(self) -> Any:
        """As the driver takes it."""
        if len(self.parts) == 1:
            prepared, values = self.parts[0]
            made = prepared.bind(values)
            made.consistency_level = self.level
            made.serial_consistency_level = self.serial
        else:
            made = BatchStatement(BatchType.UNLOGGED, None, self.level, self.serial)
            for prepared, values in self.parts:
                made.add(prepared, values)
        made.is_idempotent = self.serial is None
        return made


class Session:
    """See the module's docstring. Connect with `connect`.

    `errors` counts the requests that failed by the kind of error; `last_error` says more.
    """

    def __init__(self, cluster: Any, session: Any, requests_max: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._cluster = cluster
        self._session = session
        self._requests_max = requests_max
        self._under_way = 0
        self._waiting: deque[tuple[Request, Told]] = deque()
        self._replies: deque[tuple[Told, Any, BaseException | None]] = deque()
        self._armed = False
        self._prepared: dict[str, Any] = {}
        self._closed = False
        self.errors: Counter[str] = Counter()
        self.last_error = ""

    async def prepare(self, texts: Sequence[str]) -> None:
        """Make statements known, at the start: it blocks a thread for each."""
        for text in texts:
            try:
                made = await self._loop.run_in_executor(None, self._session.prepare, text)
            except Exception as error:
                raise StoreError(f"the store cannot be used: {said(error)}") from error
            self._prepared[text] = made

    def prepared(self, text: str) -> Any:
        """A statement that was prepared."""
        return self._prepared[text]

    def send(self, request: Request, told: Told, ahead: bool = False) -> None:
        """Carry out a request; `told` gets its rows or its error, on the event loop."""
        if not ahead and (self._waiting or self._under_way >= self._requests_max):
            self._waiting.append((request, told))
            return
        self._start(request, told)

    async def ask(self, request: Request, ahead: bool = False) -> Any:
        """Carry out a read; `StoreError` when it cannot be answered."""
        if self._closed:
            raise StoreError("the journal cannot be read: it is closed")
        future: asyncio.Future[Any] = self._loop.create_future()

        def told(rows: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(rows)
            elif isinstance(error, HOPELESS):
                future.set_exception(error)
            else:
                future.set_exception(StoreError(f"the store cannot be read: {said(error)}"))

        self.send(request, told, ahead)
        return await future

    async def close(self) -> None:
        """End all connections. What is under way is not waited for."""
        if not self._closed:
            self._closed = True
            await self._loop.run_in_executor(None, self._cluster.shutdown)

    def _start(self, request: Request, told: Told) -> None:
        profile = EXEC_PROFILE_DEFAULT if request.serial is None else SWAP
        statement = request.statement()
        self._under_way += 1
        try:
            future = self._session.execute_async(statement, execution_profile=profile)
        except NoHostAvailable as error:
            self._push(told, None, error)
            return
        pages: list[Any] = []
        future.add_callbacks(self._page, self._failed, (told, future, pages), {}, (told,), {})

    # On the driver's thread

    def _page(self, rows: Any, told: Told, future: Any, pages: list[Any]) -> None:
        if rows:
            pages.extend(rows)
        if future.has_more_pages:
            future.start_fetching_next_page()
        else:
            self._push(told, pages, None)

    def _failed(self, error: BaseException, told: Told) -> None:
        self._push(told, None, error)

    def _push(self, told: Told, rows: Any, error: BaseException | None) -> None:
        self._replies.append((told, rows, error))
        if not self._armed:
            self._armed = True
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._drain)

    # On the event loop

    def _drain(self) -> None:
        self._armed = False
        replies = self._replies
        try:
            while replies:
                told, rows, error = replies.popleft()
                self._under_way -= 1
                if error is not None:
                    self.errors[type(error).__name__] += 1
                    self.last_error = said(error)
                told(rows, error)
        finally:
            if replies:  # one raised: the others are told in a turn of their own
                self._armed = True
                self._loop.call_soon(self._drain)
        while self._waiting and self._under_way < self._requests_max:
            self._start(*self._waiting.popleft())


def cluster_of(settings: CassandraSettings, for_schema: bool = False) -> Any:
    """The driver's cluster by the settings; nothing is connected yet.

    `for_schema`: it does not wait after each change of the schema, nor read all of it again.
    """

    def profile(rows: Any) -> Any:
        near = DCAwareRoundRobinPolicy(settings.region, used_hosts_per_remote_dc=0)
        return ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(near),
            retry_policy=FallthroughRetryPolicy(),
            consistency_level=ConsistencyLevel.QUORUM,
            request_timeout=settings.request_timeout_s,
            row_factory=rows,
        )

    auth = PlainTextAuthProvider(settings.user, settings.password) if settings.user else None
    return Cluster(
        list(settings.addresses),
        port=settings.port,
        auth_provider=auth,
        ssl_context=_tls(settings.tls) if settings.tls else None,
        connection_class=_reactor(settings.reactor),
        execution_profiles={
            EXEC_PROFILE_DEFAULT: profile(tuple_factory),
            SWAP: profile(dict_factory),
        },
        protocol_version=5,
        # A node that was away is tried again soon, however long it was away.
        reconnection_policy=ConstantReconnectionPolicy(RECONNECT_S, max_attempts=None),
        connect_timeout=settings.connect_timeout_s,
        control_connection_timeout=settings.connect_timeout_s,
        schema_metadata_enabled=not for_schema,
        max_schema_agreement_wait=0 if for_schema else SCHEMA_AGREES_S,
    )


async def connect(settings: CassandraSettings) -> Session:
    """Connect to the own datacentre; `StoreError` where that cannot be done now."""
    loop = asyncio.get_running_loop()
    try:
        cluster = cluster_of(settings)
    except (OSError, ValueError) as error:
        raise StoreError(f"the store cannot be opened: {said(error)}") from error
    try:
        session = await loop.run_in_executor(None, cluster.connect)
    except Exception as error:
        await loop.run_in_executor(None, cluster.shutdown)
        raise StoreError(f"the store cannot be opened: {said(error)}") from error
    # Each write names its timestamp itself: a repeat has to have the same one.
    session.use_client_timestamp = False
    return Session(cluster, session, settings.requests_max)


def _reactor(name: str) -> Any:
    if name == "libev":
        from cassandra.io.libevreactor import LibevConnection  # noqa: PLC0415 # loads a library

        return LibevConnection
    from cassandra.io.asyncioreactor import AsyncioConnection  # noqa: PLC0415

    return AsyncioConnection


def _tls(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    context.check_hostname = tls.check_host
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file or None)
    return context
