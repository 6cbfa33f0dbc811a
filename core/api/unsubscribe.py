"""The link that takes somebody off, as mail programs and people follow it (RFC 8058).

`POST` is the one click and does it; `GET` shows a page with a button, because programs that look
into mails follow links too. It is open to everybody who holds a link that was made here; any other
token is answered 404, and a store that fails 503, so that the click can be repeated. Every answer
is a page for people.
"""

from aiohttp import web

from core.contract.log import Log
from core.suppress.links import PATH, Leaving
from core.suppress.service import Suppressions
from sync.store.entities import StaleVersion
from sync.store.port import StoreError

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<body style="font-family:sans-serif;max-width:30em;margin:4em auto;padding:0 1em">
<h1>{title}</h1>{content}</body></html>
"""
_ASK = """<p>You will get no more messages of this kind at this address.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button style="font-size:1.1em;padding:.5em 1em">Unsubscribe</button></form>
"""
_DONE = "<p>No more messages of this kind will be sent to you.</p>\n"
_UNKNOWN = "<p>It may have been cut off. Use the link in the message as it stands there.</p>\n"
_LATER = "<p>It could not be taken down now. Please try again in a moment.</p>\n"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}


def routes(suppressions: Suppressions, log: Log) -> list[web.RouteDef]:
    """The handlers of the link."""

    def leaving(request: web.Request) -> Leaving | None:
        return suppressions.links.read(request.match_info["token"])

    async def ask(request: web.Request) -> web.Response:
        if leaving(request) is None:
            return _page("This link is not valid", _UNKNOWN, 404)
        return _page("Unsubscribe", _ASK)

    async def leave(request: web.Request) -> web.Response:
        found = leaving(request)
        if found is None:
            return _page("This link is not valid", _UNKNOWN, 404)
        try:
            await suppressions.left(found)
        except (StoreError, StaleVersion) as error:
            log.error("an unsubscribe is not stored", message=found.message, error=str(error))
            return _page("Not unsubscribed yet", _LATER, 503)
        return _page("You are unsubscribed", _DONE)

    path = PATH + "{token}"
    return [web.get(path, ask, allow_head=False), web.post(path, leave)]


def _page(title: str, content: str, status: int = 200) -> web.Response:
    body = _PAGE.format(title=title, content=content)
    headers = _HEADERS | ({"Retry-After": "5"} if status == 503 else {})
    return web.Response(text=body, status=status, content_type="text/html", headers=headers)
