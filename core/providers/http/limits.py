"""Every bound of the client in one place, with its unit in its name."""

from msgspec import Struct


class HttpLimits(Struct, frozen=True, kw_only=True):
    """What one account's client holds at most, and how long it waits."""

    calls_max: int = 512
    """Calls under way, those that wait for a connection included."""
    connections_max: int = 256
    """Connections to all hosts together; those that listen for a late answer not included."""
    host_connections_max: int = 32
    host_waiting_max: int = 64
    """Calls that wait for one of their host's connections, beside those that one is being opened
    for; more end as `NotSent` at once."""
    timeout_ms: int = 15_000
    """For a whole call, waiting and connecting included."""
    connect_timeout_ms: int = 5_000
    """For the name, the TCP connection and the TLS handshake together."""
    write_timeout_ms: int = 1_000
    """TCP_USER_TIMEOUT, and the longest that the rest of a request may wait to be written. At
    most the protocol's write time-out, which the guard's lease margin is measured by."""
    idle_ms: int = 4_000
    """A connection is kept unused for so long, or for what the server's Keep-Alive says."""
    age_max_ms: int = 60_000
    """A connection older than this is not used again, so that names are asked for anew."""
    head_bytes_max: int = 16_384
    """Of an answer, interim answers included."""
    body_bytes_max: int = 65_536
    """Of an answer; the connection is given up where it is longer."""
    late_ms: int = 15_000
    """How long a connection listens for the answer of a call that has timed out."""
    late_max: int = 64
    """Connections that listen so; past it the oldest is closed."""
    names_ttl_ms: int = 30_000
    """How long the addresses of a name are believed."""
    names_failed_ttl_ms: int = 1_000
    """How long a name without an address is not asked for again."""
    names_max: int = 1_000
    """Names remembered."""
