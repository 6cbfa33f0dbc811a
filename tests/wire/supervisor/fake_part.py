"""Stands in for a core, an edge or the sandbox: listens, says 200 to everything, ends on SIGTERM.

It takes any arguments and listens on --http or --port. It writes a line to the file named by
FAKE_JOURNAL when it starts and when it ends. FAKE_DIES names a role that exits with 3 at once,
FAKE_STUBBORN one that does not end on SIGTERM.
"""

import http.server
import os
import signal
import sys
from pathlib import Path


def journal(text: str) -> None:
    with Path(os.environ["FAKE_JOURNAL"]).open("a") as file:
        file.write(f"{text}\n")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    role, arguments = sys.argv[1], sys.argv[2:]
    if os.environ.get("FAKE_DIES") == role:
        sys.stderr.write("the fake says why it died\n")
        sys.exit(3)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))

    def end(number: int, frame: object) -> None:
        if os.environ.get("FAKE_STUBBORN") != role:
            journal(f"end {role}")
            os._exit(0)

    signal.signal(signal.SIGTERM, end)
    server = Server(("127.0.0.1", int(given.get("--http") or given["--port"])), Handler)
    journal(f"start {role} {os.getpid()} {' '.join(arguments)}")
    server.serve_forever()


if __name__ == "__main__":
    main()
