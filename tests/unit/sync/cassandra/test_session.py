"""Requests go out bounded and in order; replies of the driver's thread come in groups."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from cassandra import InvalidRequest, OperationTimedOut, ReadTimeout
from cassandra.cluster import NoHostAvailable

from sync.store.cassandra.session import Request, Session
from sync.store.port import StoreError


class Reply:
    """A reply of the driver, given when the test says so."""

    def __init__(self, pages: list[list[Any]]) -> None:
        self._pages = pages

    @property
    def has_more_pages(self) -> bool:
        return bool(self._pages)

    def add_callbacks(
        self, callback: Any, errback: Any, args: Any, _: Any, e: Any, __: Any
    ) -> None:
        self._told = lambda rows: callback(rows, *args)
        self._failed = lambda error: errback(error, *e)

    def start_fetching_next_page(self) -> None:
        self.answer()

    def answer(self) -> None:
        self._told(self._pages.pop(0))

    def fail(self, error: Exception) -> None:
        self._failed(error)


class Driver:
    """Stands for the driver's session: what is asked, and how it is answered."""

    def __init__(self) -> None:
        self.asked: list[Reply] = []
        self.pages: list[list[Any]] = [[1]]
        self.refuse: Exception | None = None

    def execute_async(self, *_: Any, **__: Any) -> Reply:
        if self.refuse is not None:
            raise self.refuse
        self.asked.append(Reply(list(self.pages)))
        return self.asked[-1]


class Plain(Request):
    def statement(self) -> Any:
        return self


def request() -> Request:
    return Plain([], 0)


def on_a_thread(*work: Callable[[], None]) -> None:
    thread = threading.Thread(target=lambda: [each() for each in work])
    thread.start()
    thread.join()


async def test_at_most_so_many_are_under_way_and_what_decides_goes_ahead() -> None:
    driver = Driver()
    session = Session(None, driver, requests_max=2)
    told: list[int] = []
    for n in range(4):
        session.send(request(), lambda _rows, _error, n=n: told.append(n))  # type: ignore[misc]
    assert len(driver.asked) == 2
    session.send(request(), lambda *_: told.append(9), ahead=True)
    assert len(driver.asked) == 3
    on_a_thread(*(reply.answer for reply in driver.asked))
    assert told == []
    await asyncio.sleep(0)
    assert told == [0, 1, 9]
    assert len(driver.asked) == 5
    on_a_thread(*(reply.answer for reply in driver.asked[3:]))
    await asyncio.sleep(0)
    assert told == [0, 1, 9, 2, 3]


async def test_many_replies_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver()
    session = Session(None, driver, requests_max=100)
    asked = [asyncio.ensure_future(session.ask(request())) for _ in range(50)]
    await asyncio.sleep(0)
    woken: list[Any] = []
    loop = asyncio.get_running_loop()
    wake = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda do: (woken.append(do), wake(do)))
    on_a_thread(*(reply.answer for reply in driver.asked))
    assert await asyncio.gather(*asked) == [[1]] * 50
    assert len(woken) == 1


async def test_all_pages_are_one_answer() -> None:
    driver = Driver()
    driver.pages = [[1, 2], [3], []]
    session = Session(None, driver, requests_max=1)
    asked = asyncio.ensure_future(session.ask(request()))
    await asyncio.sleep(0)
    on_a_thread(driver.asked[0].answer)
    assert await asked == [1, 2, 3]


@pytest.mark.parametrize(
    "error", [OperationTimedOut(), ReadTimeout("late"), NoHostAvailable("none", {}), OSError()]
)
async def test_a_read_that_fails_says_so(error: Exception) -> None:
    driver = Driver()
    session = Session(None, driver, requests_max=1)
    asked = asyncio.ensure_future(session.ask(request()))
    await asyncio.sleep(0)
    on_a_thread(lambda: driver.asked[0].fail(error))
    with pytest.raises(StoreError, match=type(error).__name__):
        await asked
    driver.refuse = NoHostAvailable("none", {})
    with pytest.raises(StoreError, match="NoHostAvailable"):
        await session.ask(request())
    driver.refuse = None
    again = asyncio.ensure_future(session.ask(request()))
    await asyncio.sleep(0)
    on_a_thread(driver.asked[1].answer)
    assert await again == [1]


async def test_a_wrong_statement_is_raised_as_it_is() -> None:
    driver = Driver()
    session = Session(None, driver, requests_max=1)
    asked = asyncio.ensure_future(session.ask(request()))
    await asyncio.sleep(0)
    on_a_thread(lambda: driver.asked[0].fail(InvalidRequest("no such table")))
    with pytest.raises(InvalidRequest):
        await asked


async def test_one_that_raises_does_not_keep_the_others_from_their_answers() -> None:
    driver = Driver()
    session = Session(None, driver, requests_max=3)
    raised: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: raised.append(what))

    def told(*_: Any) -> None:
        raise KeyError("a mistake")

    session.send(request(), told)
    asked = asyncio.ensure_future(session.ask(request()))
    await asyncio.sleep(0)
    on_a_thread(*(reply.answer for reply in driver.asked))
    assert await asked == [1]
    assert isinstance(raised[0]["exception"], KeyError)
