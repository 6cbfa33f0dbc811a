"""Settings that every process of a region reads: its name, the protocol's times, logs."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from core.contract.sections.kinds import NotNegative, PortNumber, Positive, Section, doc, secret


class RegionSettings(Section, frozen=True):
    """Who this region is."""

    name: Annotated[
        str,
        Meta(pattern="^[a-z][a-z0-9]{0,15}$"),
        doc("The region's name; it stands in every message id minted for it."),
    ] = "local"
    home_shards: Annotated[
        int,
        Meta(ge=1, le=4096),
        doc("Shards of this home. Fixed by the first start; the data folder remembers it."),
    ] = 64
    latitude: Annotated[
        float,
        Meta(ge=-90, le=90),
        doc("Where the region is, in degrees, for the distance to providers; both 0: not said."),
    ] = 0.0
    longitude: Annotated[float, Meta(ge=-180, le=180), doc("See latitude.")] = 0.0


class ProtocolSettings(Section, frozen=True):
    """The times that the protocol rests on (PROTOCOL.md 12). Change them together or not at all."""

    lease_ms: Annotated[Positive, doc("How long a lease gives the right to send.")] = 4000
    renew_ms: Annotated[Positive, doc("How often the holder renews its lease.")] = 1000
    epsilon_ms: Annotated[
        Positive, doc("Waited beyond a lease's length before its holder is revoked.")
    ] = 250
    write_timeout_ms: Annotated[
        Positive,
        doc("A call is begun only with this much of the lease left; TCP_USER_TIMEOUT too."),
    ] = 1000
    clock_bound_ms: Annotated[
        Positive,
        doc("How far wall clocks may differ; a core outside of it neither owns nor accepts."),
    ] = 500
    ttl_days: Annotated[Positive, doc("How long rows and idempotency keys are kept.")] = 45
    horizon_days: Annotated[
        Positive, doc("A message whose expiry lies further ahead is refused.")
    ] = 30
    floor_ms: Annotated[Positive, doc("How often floors are written when they changed.")] = 1000
    accept_timeout_ms: Annotated[
        Positive, doc("A caller whose row is not durable by then gets 503 accept_unknown.")
    ] = 5000
    shards_poll_ms: Annotated[
        Positive, doc("How often each core reads the shard rows and takes up what they give it.")
    ] = 2000
    receipt_window_sms_s: Annotated[
        NotNegative, doc("How long a receipt of a text message is waited for; 0: none is.")
    ] = 259_200
    escalate_after_s: Annotated[
        Positive,
        doc("`escalate_after` where `until` is delivered or seen and a request does not say."),
    ] = 300
    receipt_window_email_s: Annotated[
        NotNegative,
        doc("How long a bounce is waited for, where the account takes bounces; 0: none is."),
    ] = 259_200
    expires_otp_s: Annotated[Positive, doc("`expires_in` of class otp when not given.")] = 300
    expires_alert_s: Annotated[Positive, doc("`expires_in` of class alert when not given.")] = 3600
    expires_transactional_s: Annotated[
        Positive, doc("`expires_in` of class transactional when not given.")
    ] = 86_400
    expires_bulk_s: Annotated[Positive, doc("`expires_in` of class bulk when not given.")] = 259_200

    def expires_in_s(self) -> dict[str, int]:
        """`expires_in` by class."""
        return {
            "otp": self.expires_otp_s,
            "alert": self.expires_alert_s,
            "transactional": self.expires_transactional_s,
            "bulk": self.expires_bulk_s,
        }


class LogSettings(Section, frozen=True):
    """Logs: one JSON object a line."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], doc("The least level that is written.")
    ] = "info"
    file: Annotated[
        str, doc("Where lines go; empty: standard error. `goutong up` gives each part its own.")
    ] = ""
    rotate_bytes: Annotated[
        NotNegative,
        doc("A log file is renamed to .1 when it would grow over this; 0: never."),
    ] = 67_108_864
    flush_ms: Annotated[Positive, doc("Lines are written at the latest after this.")] = 100
    hash_key: Annotated[
        str,
        Meta(pattern="^([0-9a-f]{2})*$", max_length=128),
        secret("Key of the hashes of recipients in logs, hex; empty: hash.key of the data folder."),
    ] = ""


class NatsSettings(Section, frozen=True):
    """Signals between processes. Nothing durable is kept there."""

    url: Annotated[
        str, doc("A NATS server to use; empty: `goutong up` starts one, and tells its parts.")
    ] = ""
    connect_timeout_ms: Annotated[Positive, doc("A connection not made by then failed.")] = 2000
    reconnect_wait_ms: Annotated[Positive, doc("Pause between two tries to connect.")] = 500
    pending_bytes_max: Annotated[
        Positive, doc("Signals held while the server is away; more are dropped.")
    ] = 2_097_152


class SupervisorSettings(Section, frozen=True):
    """`goutong up`: how a region's processes are started, watched and stopped."""

    cores: Annotated[int, Meta(ge=1, le=64), doc("Core processes of the region.")] = 1
    edge_port: Annotated[
        PortNumber,
        doc("The edge's port under `goutong up`; 0: a free one, chosen once and kept."),
    ] = 0
    ready_timeout_ms: Annotated[
        Positive, doc("A region that does not answer by then makes `goutong up` fail.")
    ] = 60_000
    restart_min_ms: Annotated[
        Positive, doc("First pause before a part that died is started again; it doubles.")
    ] = 100
    restart_max_ms: Annotated[Positive, doc("Longest pause before a part is started again.")] = 5000
    steady_ms: Annotated[
        Positive, doc("A part that lived this long starts with the shortest pause again.")
    ] = 30_000
    stop_grace_ms: Annotated[Positive, doc("A part asked to stop is killed after this.")] = 20_000
    lock_wait_ms: Annotated[
        Positive, doc("How long a second start waits for the first to leave the data folder.")
    ] = 5000
    sandbox: Annotated[bool, doc("Whether `goutong up` starts the sandbox too.")] = True
    core_command: Annotated[
        list[str],
        doc("Program of a core, its arguments are appended; empty: this Python with -m core."),
    ] = msgspec.field(default_factory=list)
    edge_command: Annotated[list[str], doc("Program of an edge, in the same way.")] = msgspec.field(
        default_factory=list
    )
    nats_command: Annotated[
        list[str], doc("Program of the NATS server; empty: the one installed with GouTong.")
    ] = msgspec.field(default_factory=list)
    sandbox_command: Annotated[list[str], doc("Program of the sandbox.")] = msgspec.field(
        default_factory=list
    )
