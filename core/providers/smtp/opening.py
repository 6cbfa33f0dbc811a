"""From nothing to a session that takes mail: connect, TLS, EHLO, AUTH.

The cold path, so plain coroutines. Everything that goes wrong becomes `OpenFailedError`, which says
whether trying again later can help (`down`, `throttled`) or only an operator can (`fault`). Its
text never holds the password, nor the user's name.
"""

import asyncio
import base64
import ipaddress
import socket
import ssl
import struct
from typing import Any, Literal

from core.providers.smtp.classify import is_account_fault, is_throttling, scrubbed, told_wait_ms
from core.providers.smtp.reply import Extensions, Reply, ReplyError, read_extensions
from core.providers.smtp.session import Session, SessionOwner
from core.providers.smtp.settings import SmtpSettings

_LINGER_RESET = struct.pack("ii", 1, 0)


class OpenFailedError(Exception):
    """No session came of it, and why."""

    def __init__(
        self, kind: Literal["down", "throttled", "fault"], detail: str, wait_ms: int = 0
    ) -> None:
        super().__init__(detail)
        self.kind: Literal["down", "throttled", "fault"] = kind
        self.detail = detail
        self.wait_ms = wait_ms


def tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    """The TLS configuration of an account, made once; None where TLS is off."""
    if settings.tls == "off":
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise OpenFailedError("fault", f"ca_file cannot be read ({type(error).__name__})") from None
    if not settings.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def open_session(
    settings: SmtpSettings, password: str, context: ssl.SSLContext | None, owner: SessionOwner
) -> Session:
    """A session ready for mail, or OpenFailedError. Cancelling it leaves no connection behind."""
    session = Session(settings, owner)
    try:
        await _open(settings, password, context, session)
    except (OSError, ReplyError, UnicodeError) as error:
        session.abort("opening failed")
        raise _failure(error) from None
    except BaseException:
        session.abort("opening failed")
        raise
    return session


async def _open(
    settings: SmtpSettings, password: str, context: ssl.SSLContext | None, session: Session
) -> None:
    sock = await _connect(settings)
    try:
        own, peer = sock.getsockname()[0], sock.getpeername()[0]
        await asyncio.get_running_loop().create_connection(lambda: session, sock=sock)
    except BaseException:
        sock.close()
        raise
    extensions, secure = await _introduce(settings, session, own, context)
    if settings.username:
        if not (secure or settings.allow_plain_auth or _is_loopback(peer)):
            # With TLS off this stays so until edited; else the server may offer STARTTLS again.
            raise OpenFailedError(
                "fault" if settings.tls == "off" else "down",
                "name and password would go in clear: set tls, or allow_plain_auth to permit it",
            )
        await _authenticate(settings, password, session, extensions)
    session.ready(extensions)


def _failure(error: Exception) -> OpenFailedError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return OpenFailedError("down", f"the server's certificate: {error.verify_message}")
    if isinstance(error, ssl.SSLError):
        return OpenFailedError("down", f"TLS failed ({error.reason or type(error).__name__})")
    if isinstance(error, TimeoutError):
        return OpenFailedError("down", "no answer in time")
    if isinstance(error, OSError) and error.strerror:
        return OpenFailedError("down", f"cannot connect: {error.strerror}")
    return OpenFailedError("down", str(error) or type(error).__name__)


async def _connect(settings: SmtpSettings) -> socket.socket:
    """A connected socket to the first of the host's addresses that answers."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(settings.connect_timeout_ms / 1_000):
        found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        failure: OSError = OSError("no address")
        for family, kind, proto, _, address in found:
            try:
                return await _connect_to(settings, (family, kind, proto), address)
            except OSError as error:
                failure = error
        raise failure


async def _connect_to(
    settings: SmtpSettings, kind: tuple[int, int, int], address: Any
) -> socket.socket:
    sock = socket.socket(*kind)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        await asyncio.get_running_loop().sock_connect(sock, address)
        # Only now: while connecting it would also cut short the repetitions of the first packet.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, settings.write_timeout_ms)
    except BaseException:
        sock.close()
        raise
    return sock


async def _introduce(
    settings: SmtpSettings, session: Session, own: str, context: ssl.SSLContext | None
) -> tuple[Extensions, bool]:
    """TLS as the settings ask for it, greeting and EHLO: the extensions, and whether TLS is on."""
    handshake_s = settings.connect_timeout_ms / 1_000
    if settings.tls == "implicit":
        assert context is not None
        await session.upgrade(context, settings.host, handshake_s)
    greeting = await session.next_reply()
    if greeting.code != 220:
        raise _refusal(settings, "greeting", greeting)
    extensions = await _ehlo(settings, session, own)
    if context is None or settings.tls == "implicit":
        return extensions, context is not None
    if extensions.starttls and (await session.command(b"STARTTLS\r\n")).code == 220:
        await session.upgrade(context, settings.host, handshake_s)
        # What was said in clear is forgotten: anybody may have said it.
        return await _ehlo(settings, session, own), True
    if settings.tls == "starttls_required":
        raise OpenFailedError("down", "the server does not offer STARTTLS, which is required")
    return extensions, False


def _is_loopback(peer: str) -> bool:
    return ipaddress.ip_address(peer.partition("%")[0]).is_loopback


async def _ehlo(settings: SmtpSettings, session: Session, own: str) -> Extensions:
    literal = f"[IPv6:{own.partition('%')[0]}]" if ":" in own else f"[{own}]"
    name = (settings.ehlo_name or literal).encode()
    reply = await session.command(b"EHLO " + name + b"\r\n")
    if reply.code in (500, 502, 504):
        reply = await session.command(b"HELO " + name + b"\r\n")
    if reply.code != 250:
        raise _refusal(settings, "EHLO", reply)
    return read_extensions(reply.text)


async def _authenticate(
    settings: SmtpSettings, password: str, session: Session, extensions: Extensions
) -> None:
    user, secret = settings.username.encode(), password.encode()
    reply: Reply | None = None
    if "PLAIN" in extensions.auth:
        token = base64.b64encode(b"\0" + user + b"\0" + secret)
        reply = await session.command(b"AUTH PLAIN " + token + b"\r\n")
    if "LOGIN" in extensions.auth and (reply is None or reply.code == 504):
        reply = await session.command(b"AUTH LOGIN\r\n")
        for part in (user, secret):
            if reply.code == 334:
                reply = await session.command(base64.b64encode(part) + b"\r\n")
    if reply is None:
        raise OpenFailedError("down", "the server offers neither AUTH PLAIN nor AUTH LOGIN")
    if reply.code != 235:
        raise _refusal(settings, "AUTH", reply)


def _refusal(settings: SmtpSettings, stage: str, reply: Reply) -> OpenFailedError:
    detail = scrubbed(f"{stage}: {reply.code} {reply.text}", settings.username)
    if is_account_fault(reply) or (stage == "AUTH" and reply.code >= 500):
        return OpenFailedError("fault", detail)
    if 400 <= reply.code < 500 and is_throttling(reply):
        wait_ms = told_wait_ms(reply.text, settings.throttle_wait_ms, settings.throttle_wait_max_ms)
        return OpenFailedError("throttled", detail, wait_ms)
    return OpenFailedError("down", detail)
