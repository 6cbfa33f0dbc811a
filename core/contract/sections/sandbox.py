"""Settings of the sandbox: the provider that behaves as badly as told."""

from typing import Annotated

from msgspec import Meta

from core.contract.sections.kinds import PortNumber, Positive, Section, doc


class SandboxSettings(Section, frozen=True):
    """Providers on this machine that send nothing, with a history of what reached them."""

    host: Annotated[str, doc("Address to listen on.")] = "127.0.0.1"
    http_port: Annotated[
        PortNumber, doc("Port of its HTTP doors; 0: a free one, kept by `goutong up`.")
    ] = 0
    smpp_port: Annotated[PortNumber, doc("Port of the SMSC; 0: a free one.")] = 0
    smtp_port: Annotated[PortNumber, doc("Port of the SMTP server; 0: a free one.")] = 0
    bounce_to: Annotated[
        str,
        Meta(pattern=r"^([A-Za-z0-9._:\[\]-]{1,255}:[0-9]{1,5})?$"),
        doc("host:port where its mail server sends bounces, by SMTP; empty: nowhere."),
    ] = ""
    sms_http_port: Annotated[
        PortNumber, doc("Port of the provider in Twilio's form; 0: a free one.")
    ] = 0
    gateway_port: Annotated[PortNumber, doc("Port of the HTTP gateway; 0: a free one.")] = 0
    webhook_port: Annotated[PortNumber, doc("Port of the webhook endpoint; 0: a free one.")] = 0
    history_max: Annotated[Positive, doc("Entries of the history kept on disk.")] = 1_000_000
