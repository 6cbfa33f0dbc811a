"""The link that takes somebody off, as mail programs and people follow it (RFC 8058).

`POST` is the one click and does it; `GET` shows a page with a button, because programs that look
into mails follow links too. It is open to everybody who holds a link that was made here; any other
token is answered 404, and a store that fails 503, so that the click can be repeated.
"""

from aiohttp import web

from core.contract.problems import problem
from core.suppress.links import PATH, Leaving
from core.suppress.service import Suppressions

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width"><title>Unsubscribe</title>
<body style="font-family:sans-serif;max-width:30em;margin:4em auto;padding:0 1em">
{content}</body></html>
"""
_ASK = """<h1>Unsubscribe</h1><p>You will get no more messages of this kind at this address.</p>
<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">
<button style="font-size:1.1em;padding:.5em 1em">Unsubscribe</button></form>
"""
_DONE = "<h1>You are unsubscribed</h1><p>No more messages of this kind will be sent to you.</p>\n"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}


def routes(suppressions: Suppressions) -> list[web.RouteDef]:
    """The handlers of the link."""

    def leaving(request: web.Request) -> Leaving:
        found = suppressions.links.read(request.match_info["token"])
        if found is None:
            raise problem("not_found", "This link is not valid.")
        return found

    async def ask(request: web.Request) -> web.Response:
        leaving(request)
        return _page(_ASK)

    async def leave(request: web.Request) -> web.Response:
        await suppressions.left(leaving(request))
        return _page(_DONE)

    path = PATH + "{token}"
    return [web.get(path, ask, allow_head=False), web.post(path, leave)]


def _page(content: str) -> web.Response:
    body = _PAGE.format(content=content)
    return web.Response(text=body, content_type="text/html", headers=_HEADERS)
