"""Callers that are slow, half open or rude must not cost the others anything."""

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from core import audit
from tests.support.region import Region

MANY = 150
HEAD = b"POST /v1/notifications HTTP/1.1\r\nHost: edge\r\n"


def connect(region: Region, stack: ExitStack) -> socket.socket:
    where = urlsplit(region.url)
    return stack.enter_context(socket.create_connection((where.hostname, where.port), timeout=10))


def authorized(region: Region) -> bytes:
    return HEAD + f"Authorization: Bearer {region.api_key}\r\n".encode()


def others_are_served(region: Region) -> None:
    """Ten messages, each within a moment."""
    for number in range(10):
        began = time.monotonic()
        region.sms("+447700900600", f"served {number}")
        assert time.monotonic() - began < 1.0


def test_heads_that_never_end_are_cut_off(region: Region) -> None:
    with ExitStack() as stack:
        slow = [connect(region, stack) for _ in range(MANY)]
        began = time.monotonic()
        for each in slow:
            each.sendall(HEAD)
        others_are_served(region)
        # A byte now and then does not buy more time.
        while time.monotonic() - began < 0.7:
            for each in slow:
                each.sendall(b"X")
            time.sleep(0.1)
        for each in slow:
            assert each.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert 0.8 < time.monotonic() - began < 5.0
        others_are_served(region)


def test_bodies_that_never_end_are_cut_off(region: Region) -> None:
    with ExitStack() as stack:
        slow = [connect(region, stack) for _ in range(MANY)]
        for each in slow:
            length = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
            each.sendall(authorized(region) + length)
        others_are_served(region)
        for each in slow:
            said = each.recv(65536)
            assert said.startswith(b"HTTP/1.1 408 ")
            assert b'"code":"request_timeout"' in said
        others_are_served(region)


def test_callers_that_go_away_in_the_middle(region: Region) -> None:
    before = audit.run(region.data)["accepted"]
    with ExitStack() as stack:
        for _ in range(MANY):
            each = connect(region, stack)
            half = b'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"to": {"phone"'
            each.sendall(authorized(region) + half)
            each.close()
    others_are_served(region)
    assert audit.run(region.data)["accepted"] == before + 10


def test_callers_that_do_not_read_their_answers(region: Region) -> None:
    request = authorized(region).replace(b"POST /v1/notifications", b"GET /openapi.json") + b"\r\n"
    with ExitStack() as stack:
        for _ in range(20):
            each = connect(region, stack)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.settimeout(0.2)
            try:
                for _ in range(100):
                    each.sendall(request)
            except TimeoutError:
                pass  # it is not read from any more: what it wants is already too much
        others_are_served(region)


def test_connections_that_say_nothing_harm_nobody(region: Region) -> None:
    with ExitStack() as stack:
        silent = [connect(region, stack) for _ in range(MANY)]
        others_are_served(region)
        for each in silent:
            assert each.recv(65536).startswith(b"HTTP/1.1 408 ")


def test_noise_is_answered_and_ends(region: Region) -> None:
    for noise in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" * 50):
        with ExitStack() as stack:
            caller = connect(region, stack)
            caller.sendall(noise)
            said = caller.recv(65536)
            assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")) or said == b"", said
    others_are_served(region)
