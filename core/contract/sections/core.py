"""Settings of the core process: store, limits, retries, templates."""

from typing import Annotated, Literal

from core.contract.sections.kinds import (
    NotNegative,
    PortNumber,
    Positive,
    Quantity,
    Section,
    Share,
    doc,
)


class CoreSettings(Section, frozen=True):
    """The core: accepts, journals, sends."""

    host: Annotated[str, doc("Address of the core's own HTTP and of the link to edges.")] = (
        "127.0.0.1"
    )
    http_port: Annotated[PortNumber, doc("Port of the core's own HTTP; 0: any free one.")] = 0
    link_port: Annotated[PortNumber, doc("Port of the link to edges; 0: any free one.")] = 0
    frame_bytes_max: Annotated[Positive, doc("Longest frame on the link.")] = 33_554_432
    held_messages_max: Annotated[
        Positive, doc("Messages held in memory; what does not fit stays in the log.")
    ] = 120_000
    stop_grace_ms: Annotated[Positive, doc("When stopping, calls under way end within this.")] = (
        15_000
    )
    recent_messages_max: Annotated[
        Positive, doc("Ended messages kept in memory, for receipts and for those who ask.")
    ] = 20_000
    remembered_ids_max: Annotated[
        Positive, doc("Ids remembered so that a copy of a new message is noticed without a read.")
    ] = 400_000
    early_events_max: Annotated[
        Positive, doc("Messages of which a receipt or cancel came first, kept in memory.")
    ] = 10_000
    park_after_ms: Annotated[
        Positive, doc("What is to be tried again later than this waits in the open set.")
    ] = 60_000
    park_waiting_ms: Annotated[
        Positive, doc("What waits for a provider longer than this waits in the open set.")
    ] = 600_000
    set_aside_ms: Annotated[
        Positive, doc("What waits in the open set so is offered again after this to twice this.")
    ] = 30_000
    await_in_memory_ms: Annotated[
        Positive,
        doc("A sent message that waits for evidence, before the next channel, leaves memory then."),
    ] = 15_000
    dedupe_margin_ms: Annotated[
        Positive, doc("Taken off a provider's window in which it recognises a repeated key.")
    ] = 5000
    provider_ids_max: Annotated[
        Positive, doc("Provider ids kept in memory, to match receipts.")
    ] = 100_000
    receipt_buckets_back: Annotated[
        Positive, doc("How many times ten minutes back an unknown provider id is looked for.")
    ] = 36
    callback_wait_ms: Annotated[
        Positive, doc("A provider's callback whose receipts are not journaled by then gets 503.")
    ] = 5000
    answered_keys_max: Annotated[
        Positive, doc("Answers by Idempotency-Key kept in memory; the store has all.")
    ] = 20_000
    accepted_places_max: Annotated[
        Positive, doc("Accepted messages whose place in the log is remembered, for who asks.")
    ] = 100_000
    links_max: Annotated[Positive, doc("Connections from edges.")] = 64
    seal_ms: Annotated[
        Positive, doc("How often provider ids and by-id rows of what ended are written.")
    ] = 250
    bounce_host: Annotated[str, doc("Address at which bounces of e-mail are taken, by SMTP.")] = (
        "127.0.0.1"
    )
    bounce_port: Annotated[
        PortNumber,
        doc("Port at which bounces are taken; 0: none, under `goutong up` a free one."),
    ] = 0
    bounce_bytes_max: Annotated[Positive, doc("Longest bounce that is taken.")] = 10_485_760
    bounce_connections_max: Annotated[Positive, doc("Connections that bring bounces.")] = 64
    bounce_idle_ms: Annotated[
        Positive, doc("A connection that brings bounces is closed when nothing comes for so long.")
    ] = 60_000
    bounce_session_ms: Annotated[Positive, doc("It is closed after this in any case.")] = 600_000
    bounce_answer_ms: Annotated[
        Positive, doc("A bounce that is not journaled by then is answered 451, to come again.")
    ] = 10_000
    quality_half_life_s: Annotated[
        Positive, doc("An answer of a provider counts half for its quality after this.")
    ] = 120


class StoreSettings(Section, frozen=True):
    """Where the truth is kept: SQLite in the data folder for one region, or Cassandra."""

    kind: Annotated[
        Literal["sqlite", "cassandra"],
        doc("sqlite: a file in the data folder, for one region. cassandra: see [cassandra]."),
    ] = "sqlite"
    reserve_bytes: Annotated[
        NotNegative,
        doc("Free disk kept for outcomes; with less, accepts are refused with 503 storage_full."),
    ] = 134_217_728
    commit_interval_ms: Annotated[
        NotNegative, doc("Commits of a busy process start at least so far apart.")
    ] = 2
    row_records_max: Annotated[Positive, doc("Records of one log row.")] = 256
    row_bytes_max: Annotated[Positive, doc("A log row is closed when it is longer.")] = 524_288
    records_waiting_max: Annotated[
        Positive, doc("Records waiting for a row of one log; more are refused as overloaded.")
    ] = 50_000
    disk_check_ms: Annotated[Positive, doc("How often free disk is looked at.")] = 500
    busy_timeout_ms: Annotated[
        Positive, doc("How long a write waits for another process's write.")
    ] = 5000


class LimitsSettings(Section, frozen=True):
    """What a core takes in at most."""

    body_bytes_max: Annotated[Positive, doc("Longest body of a single request.")] = 1_048_576
    batch_bytes_max: Annotated[Positive, doc("Longest body of a batch.")] = 16_777_216
    json_depth_max: Annotated[Positive, doc("Deepest nesting of a body.")] = 32
    recipients_max: Annotated[Positive, doc("Recipients of one notification.")] = 10_000
    accepts_waiting_max: Annotated[
        Positive, doc("Requests waiting for their row; more get 503 overloaded.")
    ] = 20_000
    tenant_per_second: Annotated[
        Quantity, doc("Messages of one tenant, by each core; more get 429. 0: no limit.")
    ] = 0.0
    tenant_burst: Annotated[
        Positive, doc("Messages of one tenant that may come at once; no request may have more.")
    ] = 10_000
    recipient_per_hour: Annotated[
        Quantity, doc("Messages of one tenant to one address, by each core. 0: no limit.")
    ] = 0.0
    recipient_burst: Annotated[Positive, doc("Messages to one address that may come at once.")] = 5
    recipients_remembered_max: Annotated[
        Positive,
        doc("Addresses whose use is remembered; those not used for longest are forgotten."),
    ] = 100_000
    shed_bulk_at: Annotated[
        Share, doc("From this load on (1: all that may wait does), class bulk gets 503.")
    ] = 0.8
    shed_transactional_at: Annotated[Share, doc("The same for class transactional.")] = 0.95
    shed_urgent_at: Annotated[Share, doc("The same for the classes otp and alert.")] = 1.0
    list_rows_max: Annotated[Positive, doc("Entries of one page of a list.")] = 200
    webhooks_max: Annotated[
        Positive, doc("Webhook endpoints of one tenant; each is told of each message.")
    ] = 20


class RetrySettings(Section, frozen=True):
    """When a definite refusal that may pass is tried again, until `expires_in`."""

    first_ms: Annotated[Positive, doc("Pause before the second attempt; it doubles.")] = 500
    longest_ms: Annotated[Positive, doc("Longest pause between two attempts.")] = 300_000
    jitter: Annotated[Share, doc("Part of each pause that is left to chance.")] = 0.2


class TemplatesSettings(Section, frozen=True):
    """Bounds of rendering; a template that meets one fails with template_failed."""

    iterations_max: Annotated[Positive, doc("Rounds of all loops together.")] = 10_000
    depth_max: Annotated[Positive, doc("Blocks within blocks.")] = 30
    output_bytes_max: Annotated[Positive, doc("Size of one rendered part.")] = 262_144
    source_bytes_max: Annotated[Positive, doc("Size of one part's source.")] = 262_144
    cached_max: Annotated[Positive, doc("Compiled templates kept in memory.")] = 1000
    partials_max: Annotated[
        Positive, doc("Partials and layouts that one template may use, those of those included.")
    ] = 50
    partials_depth_max: Annotated[Positive, doc("Partials within partials.")] = 8
    published_bytes_max: Annotated[
        Positive, doc("Size of a published version with the partials and layouts that it keeps.")
    ] = 2_097_152
    schema_bytes_max: Annotated[Positive, doc("Size of a schema of data.")] = 32_768
    schema_nodes_max: Annotated[
        Positive, doc("Size of a schema when its references are written out, in JSON values.")
    ] = 5000
    schema_work_max: Annotated[
        Positive, doc("Size of a schema times values and characters of the data that it checks.")
    ] = 20_000_000
