"""The request that hands one message to the gateway, made from the account's templates. Pure."""

import base64
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from core.providers.http_gateway.settings import HttpGatewaySettings
from core.providers.http_gateway.template import fill, fill_address, fill_value
from core.providers.port import OutMessage
from core.providers.smpp.gsm7 import encode as encode_gsm7

_TYPES = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class Request(Struct, frozen=True):
    """What is written."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


def build(
    message: OutMessage, settings: HttpGatewaySettings, secrets: Mapping[str, str]
) -> Request:
    """The request."""
    values = _values(message, settings, secrets)
    url = fill_address(settings.url, values)
    headers = {name: fill(text, values) for name, text in settings.headers.items()}
    headers |= _auth(settings, secrets)
    body = b""
    if settings.body == "json":
        body = msgspec.json.encode(fill_value(settings.fields, values))
    else:
        pairs = {name: fill(text, values) for name, text in settings.fields.items()}
        encoded = urlencode(pairs, encoding="utf-8", errors="strict")
        if settings.body == "form":
            body = encoded.encode("ascii")
        elif encoded:
            url += ("&" if "?" in url else "?") + encoded
    if settings.body in _TYPES:
        headers.setdefault("Content-Type", _TYPES[settings.body])
    return Request(settings.method, url, headers, body)


def _values(
    message: OutMessage, settings: HttpGatewaySettings, secrets: Mapping[str, str]
) -> dict[str, str]:
    lives_s = max(1, message.valid_for_ms // 1_000) if message.valid_for_ms > 0 else 0
    return {
        "to": message.to,
        "to_digits": message.to.removeprefix("+"),
        "text": message.text,
        "sender": message.sender or settings.sender,
        "ref": message.ref,
        "valid_for_s": str(lives_s) if lives_s else "",
        "coding": settings.coding.gsm if _is_gsm(message.text) else settings.coding.unicode,
        "message_class": message.message_class,
        "username": settings.auth.username,
        "password": secrets.get("password", ""),
        "token": secrets.get("token", ""),
        "callback_secret": secrets.get("callback_secret", ""),
    }


def _auth(settings: HttpGatewaySettings, secrets: Mapping[str, str]) -> dict[str, str]:
    auth = settings.auth
    token = secrets.get("token", "")
    if auth.kind == "basic":
        pair = f"{auth.username}:{secrets.get('password', '')}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    if auth.kind == "bearer":
        return {"Authorization": f"Bearer {token}"}
    return {auth.header: token} if auth.kind == "header" else {}


def _is_gsm(text: str) -> bool:
    return encode_gsm7(text) is not None
