"""What an operator may say about one SMTP account.

Everything is checked when the account is stored: msgspec's limits name the field that is wrong,
and what stands in each mail is tried with the code that later writes it. The password is no
setting; it comes sealed, beside these, as the secret `password`, and so do `dkim_key` and
`bounce_key`.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from core.providers.smtp.address import BadAddressError, parse_mailbox
from core.providers.smtp.mime import Origin, UnsendableError, origin

TlsMode = Literal["off", "starttls", "starttls_required", "implicit"]

_Millis = Annotated[int, Meta(ge=1, le=3_600_000)]
# "$" alone would let a last line break through.
_Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9._:%-]+$(?!\n)")]
_Name = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]
_Label = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Of a domain that other servers look up in the DNS.
_DnsName = Annotated[str, Meta(max_length=253, pattern=rf"^(?:{_Label}(?:\.{_Label})+)?$(?!\n)")]
_Selector = Annotated[str, Meta(max_length=253, pattern=rf"^(?:{_Label}(?:\.{_Label})*)?$(?!\n)")]
_DomainName = Annotated[str, Meta(max_length=255, pattern=r"^[A-Za-z0-9._:\[\]-]*$(?!\n)")]


class SmtpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account at one mail server.

    `tls` "starttls" goes on in clear where the server offers no STARTTLS; "starttls_required"
    and "implicit" never do. With `tls_verify` a certificate that does not prove the host ends the
    connection, whatever the mode. A name and password are sent in clear to the own machine only,
    unless `allow_plain_auth` is set.
    """

    host: _Host
    from_address: Annotated[str, Meta(min_length=3, max_length=254)]
    """The From of a message that names no sender of its own, and, without `bounce_domain`, the
    envelope's sender."""

    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    username: _Name = ""
    """Empty: no AUTH is tried."""

    tls: TlsMode = "starttls_required"
    tls_verify: bool = True
    ca_file: str = ""
    """PEM file of the authorities to trust; empty: those of the system."""

    allow_plain_auth: bool = False
    from_name: _Name = ""
    message_id_domain: _DomainName = ""
    """Right side of Message-ID; empty: the domain of `from_address`."""

    ehlo_name: _DomainName = ""
    """How this client names itself; empty: the address literal of its end of the connection."""

    dkim_domain: _DnsName = ""
    """The domain that signs each mail (DKIM), with the secret `dkim_key`; empty: none does."""

    dkim_selector: _Selector = ""
    """The public key is published at <dkim_selector>._domainkey.<dkim_domain>."""

    bounce_domain: _DnsName = ""
    """The domain of the return paths, one for each attempt, made with the secret `bounce_key`.
    Its mail has to reach the core's bounce port; empty: bounces are not told apart."""

    unsubscribe_mailto: Annotated[str, Meta(max_length=254)] = ""
    """A mailbox that takes wishes to unsubscribe, named beside the one-click link."""

    connections: Annotated[int, Meta(ge=1, le=64)] = 4
    queue_ahead: Annotated[int, Meta(ge=0, le=100)] = 3
    """How many calls may wait here for each connection, so that it need not wait for the next
    one to be committed. A crash leaves them in doubt together with those under way."""

    mails_per_connection: Annotated[int, Meta(ge=1, le=1_000_000)] = 500
    idle_close_ms: _Millis = 30_000
    connect_timeout_ms: _Millis = 10_000
    """For the TCP connection, and again for the TLS handshake."""

    reply_timeout_ms: _Millis = 15_000
    """For each reply before the data block: running out is a definite no."""

    data_timeout_ms: _Millis = 60_000
    """For the reply to the data block: running out leaves the message in doubt."""

    late_reply_ms: _Millis = 120_000
    """How long a connection is kept listening after `data_timeout_ms` for a late answer."""

    write_timeout_ms: _Millis = 1_000
    """TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged. At most the protocol's
    write time-out, which the guard's lease margin is measured by."""

    reconnect_min_ms: _Millis = 200
    reconnect_max_ms: _Millis = 30_000
    throttle_wait_ms: _Millis = 5_000
    """The wait after a throttling reply that names none."""

    throttle_wait_max_ms: _Millis = 60_000
    """The longest wait that is believed of a throttling reply: the whole account rests for it,
    even where the server, greylisting, had one recipient in mind. Calls that were here before
    the reply came, `queue_ahead` of them a connection, are still offered."""

    size_max_bytes: Annotated[int, Meta(ge=1_024, le=104_857_600)] = 10_485_760
    """A larger mail is refused before it is offered; the server's own SIZE counts too."""

    def __post_init__(self) -> None:
        try:
            self.origin()
        except BadAddressError as error:
            raise ValueError(f"from_address: {error}") from None
        except UnsendableError as error:
            raise ValueError(f"from_name: {error}") from None
        try:
            if self.unsubscribe_mailto and parse_mailbox(self.unsubscribe_mailto).utf8:
                raise BadAddressError("not a plain ASCII address")
        except BadAddressError as error:
            raise ValueError(f"unsubscribe_mailto: {error}") from None
        if bool(self.dkim_domain) != bool(self.dkim_selector):
            raise ValueError("dkim_domain and dkim_selector go together: set both or none")
        if self.reconnect_min_ms > self.reconnect_max_ms:
            raise ValueError("reconnect_min_ms is larger than reconnect_max_ms")

    def origin(self) -> Origin:
        """What these settings put into each mail."""
        return origin(
            self.from_address, self.from_name, self.message_id_domain, self.unsubscribe_mailto
        )
