"""Lists of messages: by status, channel and time, by recipient, and of a webhook endpoint's events.

Rows come from views, newest first by when their status was seen; what they say is checked against
what is true now. A page may be short and still have a cursor: asking on reads further back.
"""

from typing import cast

from aiohttp import web
from msgspec import Struct

from core.api.asked import (
    LIMIT_DEFAULT,
    Query,
    asked_of,
    bad_cursor,
    bad_time,
    read_time_ms,
    tenant_of,
)
from core.api.internal_auth import Caller, caller_of
from core.api.wire import answer, read_body
from core.clock import Clock
from core.contract.keys import READ, WEBHOOKS
from core.contract.lists import ListedChannel, MessagePage, MessageRow, SearchIn
from core.contract.pointers import FieldProblem
from core.contract.problems import invalid
from core.contract.recipients import (
    CHANNELS,
    AddressError,
    normal_email,
    normal_phone,
    normal_url,
)
from core.contract.requests import MessageClass
from core.contract.resources import Status
from core.contract.sections.core import LimitsSettings
from core.contract.times import rfc3339
from core.messages.view import Windows, is_final
from core.views.reader import Asked, Page, ViewReader
from core.views.scan import Listed
from core.views.segments import (
    END_STATUSES,
    EVENT,
    OPEN_STATUSES,
    Position,
    read_cursor,
    write_cursor,
)
from sync.records import State

KNOWN = ("status", "channel", "since", "until", "cursor", "limit", "tenant")
ALL_CHANNELS = (*CHANNELS, EVENT)
ALL_STATUSES = (*OPEN_STATUSES, *END_STATUSES)
LIST_DAYS = 1
SEARCH_DAYS = 7


class ListDeps(Struct, frozen=True):
    """What the handlers need. Views are kept for `kept_ms`."""

    reader: ViewReader
    clock: Clock
    windows: Windows
    limits: LimitsSettings
    kept_ms: int


def routes(deps: ListDeps) -> list[web.RouteDef]:
    """The routes of lists."""

    async def listed(request: web.Request) -> web.Response:
        caller = caller_of(request, READ)
        listing = listing_of(request, caller, deps, ALL_STATUSES, ALL_STATUSES, LIST_DAYS)
        return page_of(await deps.reader.of_tenant(*listing), deps)

    async def search(request: web.Request) -> web.Response:
        caller = caller_of(request, READ)
        given = await read_body(request, SearchIn, deps.limits)
        address, since_ms, until_ms = _checked(given, deps.limits.list_rows_max)
        asked = asked_of(
            tenant_of(caller, given.tenant),
            CHANNELS,
            ALL_STATUSES,
            since_ms,
            until_ms,
            now_ms=deps.clock.wall_ms(),
            days=SEARCH_DAYS,
            kept_ms=deps.kept_ms,
        )
        start = read_cursor(given.cursor) if given.cursor else None
        limit = given.limit or min(LIMIT_DEFAULT, deps.limits.list_rows_max)
        return page_of(await deps.reader.of_recipient(asked, address, start, limit), deps)

    async def deliveries(request: web.Request) -> web.Response:
        caller = caller_of(request, WEBHOOKS)
        asked, start, limit = listing_of(
            request, caller, deps, ALL_STATUSES, ALL_STATUSES, SEARCH_DAYS, (EVENT,)
        )
        endpoint = request.match_info["id"]
        return page_of(await deps.reader.of_recipient(asked, endpoint, start, limit), deps)

    return [
        web.get("/v1/messages", listed, allow_head=False),
        web.post("/v1/messages/search", search),
        web.get("/v1/webhooks/{id}/deliveries", deliveries, allow_head=False),
    ]


def listing_of(
    request: web.Request,
    caller: Caller,
    deps: ListDeps,
    statuses: tuple[str, ...],
    default: tuple[str, ...],
    days: int,
    only: tuple[str, ...] = (),
) -> tuple[Asked, Position | None, int]:
    """What a query asks for, where to go on, and the page's size; ProblemError (400) otherwise.

    `statuses` may be asked for, `default` are meant where none are; `only` leaves no choice of
    channels. Without `since` it goes `days` back.
    """
    query = Query(request, [name for name in KNOWN if not only or name != "channel"])
    asked = asked_of(
        query.tenant(caller),
        only or query.words("channel", ALL_CHANNELS, CHANNELS),
        query.words("status", statuses, default),
        query.time_ms("since"),
        query.time_ms("until"),
        now_ms=deps.clock.wall_ms(),
        days=days,
        kept_ms=deps.kept_ms,
    )
    start, limit = query.cursor(), query.limit(deps.limits.list_rows_max)
    query.check()
    return asked, start, limit


def page_of(page: Page, deps: ListDeps) -> web.Response:
    """The page as callers see it."""
    now_ms = deps.clock.wall_ms()
    rows = [_row(listed, deps.windows, now_ms) for listed in page.rows]
    return answer(MessagePage(write_cursor(page.next) if page.next else None, rows))


def _row(listed: Listed, windows: Windows, now_ms: int) -> MessageRow:
    row = listed.row
    window_s = windows.seconds.get(row.channel, 0)
    return MessageRow(
        row.id,
        cast("ListedChannel", row.channel),
        cast("Status", row.status),
        row.reason,
        cast("MessageClass", row.message_class),
        rfc3339(row.created_ms),
        rfc3339(listed.at_ms),
        row.possible_duplicate,
        is_final(cast("State", row.status), listed.at_ms, window_s, now_ms),
    )


def _checked(given: SearchIn, rows_max: int) -> tuple[str, int | None, int | None]:
    """The normal address, since and until; ProblemError (400) with all that is wrong."""
    errors: list[FieldProblem] = []
    address = ""
    try:
        address = normal_address(given.recipient)
    except AddressError as error:
        errors.append(FieldProblem("/recipient", error.detail, error.hint))
    times: list[int | None] = []
    for name, text in (("since", given.since), ("until", given.until)):
        times.append(None if text is None else read_time_ms(text))
        if text is not None and times[-1] is None:
            errors.append(bad_time(f"/{name}", "this"))
    if given.cursor and read_cursor(given.cursor) is None:
        errors.append(bad_cursor("/cursor"))
    if given.limit is not None and given.limit > rows_max:
        errors.append(FieldProblem("/limit", "too large", f"Use at most {rows_max}."))
    if errors:
        raise invalid(errors)
    return address, times[0], times[1]


def normal_address(text: str) -> str:
    """A recipient as messages have it, whatever its channel; AddressError if it is none."""
    text = text.strip()
    if "://" in text:
        return normal_url(text)
    return normal_email(text) if "@" in text else normal_phone(text)
