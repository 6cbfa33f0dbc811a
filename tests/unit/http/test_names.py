"""Names are asked for once at a time, believed for a short time, and judged as a whole."""

import asyncio
from collections.abc import Sequence

import pytest

from core.providers.http import AddressRules, HttpLimits, Names
from core.providers.http.names import ForbiddenError, system_look_up
from tests.support.wait import until


class Server:
    """A name server that counts what it was asked."""

    def __init__(self, **told: list[str]) -> None:
        self.told = {name.replace("_", "."): each for name, each in told.items()}
        self.asked: list[str] = []
        self.ready = asyncio.Event()
        self.ready.set()

    async def look_up(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        await self.ready.wait()
        if host not in self.told:
            raise OSError("no such name")
        return self.told[host]


def names(server: Server, **limits: int) -> Names:
    return Names(AddressRules(), HttpLimits(**limits), server.look_up)


async def test_many_ask_at_once_and_the_server_is_asked_once() -> None:
    server = Server(e_example=["8.8.8.8", "8.8.8.8"])
    server.ready.clear()
    known = names(server)
    asking = [asyncio.ensure_future(known.addresses("e.example")) for _ in range(20)]
    await until(lambda: server.asked)
    server.ready.set()
    for each in asking:
        assert [str(one) for one in await each] == ["8.8.8.8"]
    await known.addresses("e.example")
    assert server.asked == ["e.example"]


async def test_one_who_gives_up_does_not_take_the_answer_from_others() -> None:
    server = Server(e_example=["8.8.8.8"])
    server.ready.clear()
    known = names(server)
    first, second = (asyncio.ensure_future(known.addresses("e.example")) for _ in range(2))
    await until(lambda: server.asked)
    first.cancel()
    server.ready.set()
    assert await second


async def test_an_answer_is_believed_for_a_limited_time() -> None:
    server = Server(e_example=["8.8.8.8"])
    known = names(server, names_ttl_ms=20)
    await known.addresses("e.example")
    await asyncio.sleep(0.03)
    await known.addresses("e.example")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "told", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::ffff:127.0.0.1"], ["2606:4700::1", "::1"]]
)
async def test_one_private_address_refuses_the_name(told: list[str]) -> None:
    known = names(Server(e_example=told))
    with pytest.raises(ForbiddenError, match=r"^the host resolves to a private address$"):
        await known.addresses("e.example")


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "::1", "[::1", "1.2.3.4.5"])
async def test_addresses_are_judged_without_asking(host: str) -> None:
    server = Server()
    with pytest.raises(ForbiddenError):
        await names(server).addresses(host)
    assert server.asked == []


async def test_a_name_without_address_is_not_asked_for_again_at_once() -> None:
    server = Server(empty_example=[])
    known = names(server)
    for host in ("none.example", "none.example", "empty.example"):
        with pytest.raises(OSError, match=r"no address"):
            await known.addresses(host)
    assert server.asked == ["none.example", "empty.example"]


async def test_names_are_forgotten_past_a_bound() -> None:
    server = Server(a=["8.8.8.8"], b=["8.8.4.4"])
    known = names(server, names_max=1)
    for host in ("a", "b", "a"):
        await known.addresses(host)
    assert server.asked == ["a", "b", "a"]


async def test_the_machine_knows_itself() -> None:
    assert set(await system_look_up("localhost")) <= {"127.0.0.1", "::1"}
    with pytest.raises(OSError, match=r"."):
        await system_look_up("a" * 70 + ".invalid")
