"""One call on its way through the client."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from core.providers.http.message import HttpRequest, HttpResult

if TYPE_CHECKING:
    from core.providers.http.connection import Connection
    from core.providers.http.host import Host


class Flight:
    """A call that was taken in. `connection` is the one that it was written to."""

    __slots__ = ("connection", "deadline", "done", "guard", "host", "late", "request")

    def __init__(
        self,
        request: HttpRequest,
        guard: Callable[[], bool],
        done: Callable[[HttpResult], None],
        late: Callable[[HttpResult], None] | None,
        host: "Host",
        deadline: float,
    ) -> None:
        self.request = request
        self.guard = guard
        self.done = done
        self.late = late
        self.host = host
        self.deadline = deadline
        self.connection: Connection | None = None
