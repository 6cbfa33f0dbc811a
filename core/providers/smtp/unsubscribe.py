"""The headers by which a mail program offers to unsubscribe (RFC 2369, RFC 8058). Pure."""

import re
from urllib.parse import quote

_URL = re.compile(r"https?://[!-;=?-~]+")
_URL_CHARS_MAX = 900  # a header's line has at most 998 bytes, and a URL must not be broken


def headers(url: str, mailto: str) -> str:
    """The two headers for a one-click link, and for a mailbox where there is one.

    Raises ValueError, whose text holds no part of the link, for what no header may carry.
    """
    if len(url) > _URL_CHARS_MAX:
        raise ValueError(f"the link to unsubscribe is longer than {_URL_CHARS_MAX} characters")
    if not _URL.fullmatch(url):
        raise ValueError("the link to unsubscribe cannot stand in a header")
    other = f",\r\n <mailto:{quote(mailto, safe='@')}?subject=unsubscribe>" if mailto else ""
    return (
        f"List-Unsubscribe: <{url}>{other}\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    )
