"""Settings of the edge process."""

from typing import Annotated

from core.contract.sections.kinds import NotNegative, PortNumber, Positive, Section, doc


class EdgeSettings(Section, frozen=True):
    """The edge: where callers come in."""

    host: Annotated[str, doc("Address to listen on.")] = "127.0.0.1"
    port: Annotated[PortNumber, doc("Port to listen on; 0: any free one.")] = 8080
    cores: Annotated[
        str,
        doc('This region\'s cores, "host:LINKPORT/HTTPPORT,..."; the argument --cores wins.'),
    ] = ""
    links_per_core: Annotated[Positive, doc("Kept connections to each core.")] = 1
    link_connect_timeout_ms: Annotated[Positive, doc("Connecting and the first answer.")] = 1000
    link_reconnect_max_ms: Annotated[Positive, doc("Longest pause between two tries.")] = 500
    frame_bytes_max: Annotated[Positive, doc("Longest frame on the link.")] = 33_554_432
    batch_bytes_max: Annotated[Positive, doc("Bodies in one batch to a core.")] = 4_194_304
    request_deadline_ms: Annotated[
        Positive,
        doc("A notification is answered within this, by the core's answer or accept_unknown."),
    ] = 10_000
    try_timeout_ms: Annotated[
        Positive, doc("A core silent for this long is not waited for if another is there.")
    ] = 3000
    same_core_wait_ms: Annotated[
        NotNegative,
        doc("How long a call whose link died waits for the same core before it goes to another."),
    ] = 500
    no_core_wait_ms: Annotated[
        NotNegative, doc("How long a request that was never written waits for any core.")
    ] = 2000
    outstanding_max: Annotated[
        Positive, doc("Requests waiting for cores; more get 503 overloaded.")
    ] = 4096
    retry_pause_ms: Annotated[
        Positive, doc("How often waiting calls are looked at, and the pause before a repeat.")
    ] = 50
    body_bytes_held_max: Annotated[
        Positive, doc("Bodies held at once, being read or waiting; more get 503 overloaded.")
    ] = 67_108_864
    body_bytes_max: Annotated[Positive, doc("Longest body of one request; longer: 413.")] = (
        1_048_576
    )
    json_depth_max: Annotated[Positive, doc("Deepest nesting of a body.")] = 32
    recipients_max: Annotated[Positive, doc("Recipients of one notification.")] = 10_000
    batch_items_max: Annotated[Positive, doc("Notifications of one batch.")] = 10_000
    batch_in_flight_max: Annotated[
        Positive, doc("Notifications of one batch that wait for a core at once.")
    ] = 64
    batches_max: Annotated[Positive, doc("Batches under way at once; more get 503 overloaded.")] = (
        16
    )
    batch_answer_bytes_held_max: Annotated[
        Positive, doc("Outcomes held for a caller that sends without reading; then it has to wait.")
    ] = 4_194_304
    batch_timeout_ms: Annotated[
        Positive, doc("A batch ends after this, wherever it is; its outcomes say how far it came.")
    ] = 300_000
    header_bytes_max: Annotated[Positive, doc("A request's line and headers, each.")] = 16_384
    header_timeout_ms: Annotated[
        Positive, doc("A connection that has not sent a whole head by then is closed.")
    ] = 10_000
    body_timeout_ms: Annotated[
        Positive, doc("A body that has not come by then is answered 408.")
    ] = 10_000
    keepalive_timeout_ms: Annotated[
        Positive, doc("Idle kept connections are closed after this.")
    ] = 75_000
    connections_max: Annotated[Positive, doc("More connections are answered 503 and closed.")] = (
        10_000
    )
    trusted_hops: Annotated[
        NotNegative, doc("Proxies in front of the edge that append to X-Forwarded-For.")
    ] = 0
    key_cache_max_age_ms: Annotated[
        Positive, doc("Cached keys stay valid so long after a core last answered.")
    ] = 60_000
    key_cache_entries_max: Annotated[Positive, doc("Keys remembered.")] = 100_000
    key_negative_ms: Annotated[NotNegative, doc('How long "no such key" is remembered.')] = 1000
    key_negative_entries_max: Annotated[Positive, doc("How many of those are remembered.")] = 10_000
    key_poll_ms: Annotated[Positive, doc("How often changed keys are asked for.")] = 300
    key_lookup_timeout_ms: Annotated[Positive, doc("Asking a core for a key.")] = 2000
    key_lookups_max: Annotated[Positive, doc("Look-ups of keys under way at once.")] = 64
    callback_body_bytes_max: Annotated[
        Positive, doc("Longest body of a provider's callback; longer: 413.")
    ] = 262_144
    callback_bytes_held_max: Annotated[
        Positive, doc("Bodies of callbacks held at once; more get 503.")
    ] = 8_388_608
    callback_accounts_max: Annotated[
        Positive, doc("Accounts remembered as there, or as not there, for callbacks.")
    ] = 1000
    callback_unknown_ms: Annotated[
        Positive, doc("How long an account that is not there is answered 404 without asking.")
    ] = 2000
    callback_unknown_per_s: Annotated[
        Positive, doc("Names of accounts never seen that are asked for, a second; more get 503.")
    ] = 20
    proxy_timeout_ms: Annotated[Positive, doc("A call passed on to a core, whole.")] = 10_000
    proxy_connections_max: Annotated[Positive, doc("Kept connections to the cores' HTTP.")] = 256
    proxy_body_bytes_max: Annotated[Positive, doc("Longest body passed on, either way.")] = (
        16_777_216
    )
    stop_grace_ms: Annotated[Positive, doc("When stopping, running requests end within this.")] = (
        20_000
    )
