"""A tenant's own server for events: it verifies what it is told as the standard's library does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct
from standardwebhooks import Webhook


class Taken(Struct):
    """One call. `genuine`: its signature is that of one of the secrets that are expected."""

    path: str
    webhook_id: str
    event: dict[str, Any]
    genuine: bool
    answered: int


class EndpointServer:
    """Answers each path as told, 204 where nothing is said. `answers` are used up one by one but
    for the last; 0 is no answer at all until the server ends."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, list[int]] = {}
        self.secrets: dict[str, str] = {}
        self.ended = threading.Event()
        self._taken: list[Taken] = []
        self._lock = threading.Lock()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """What the call is answered."""
        with self._lock:
            answers = self.answers.get(path) or [204]
            answered = answers.pop(0) if len(answers) > 1 else answers[0]
            genuine = self._is_genuine(path, headers, body)
            event = json.loads(body)
            self._taken.append(Taken(path, headers["webhook-id"], event, genuine, answered))
            return answered

    def at(self, path: str) -> list[Taken]:
        """The calls of a path so far."""
        with self._lock:
            return [each for each in self._taken if each.path == path]

    def _is_genuine(self, path: str, headers: dict[str, str], body: bytes) -> bool:
        try:
            Webhook(self.secrets[path]).verify(body, headers)
        except Exception:
            return False
        return True


@contextmanager
def serving() -> Iterator[EndpointServer]:
    """The server, on a free port of this machine."""
    made: list[EndpointServer] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = made[0].take(self.path, headers, body)
            if not status:
                made[0].ended.wait()
                self.close_connection = True
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/redirected")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.append(EndpointServer(server.server_port))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made[0]
    finally:
        made[0].ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
