"""A small HTTP/1.1 client for adapters, which tells what client libraries hide.

    names = Names(AddressRules(), limits)          # public addresses only; `everything` for any
    pool = HttpPool(limits, names, tls_context(ca_file))
    request = HttpRequest(target_of(url), field_lines({"content-type": "..."}), body)
    pool.send(request, call.guard, done, late)
    await pool.stop(grace_ms)

* **`done(result)`** is called exactly once, never from within `send`. `Answered` is any answer,
  whatever its status; redirects are not followed and nothing is retried. `NotSent`, `Refused` (the
  address may not be called) and `Withdrawn` mean that no byte was written, `Unknown` that some
  were and no answer came. `late(result)` brings the answer of a call that ended as `Unknown` by its
  time-out, if it comes within `late_ms`.
* **The guard** is asked in the same turn of the event loop as the first byte, with the connection
  open and its buffer empty. The request goes out in one write. A connection that is given up is
  closed by reset, and TCP_USER_TIMEOUT is the write time-out, so nothing leaves later.
* **Connections** are kept for each (TLS, host, port) and opened to exactly the address that was
  checked; Host and SNI carry the name. A kept connection whose server has closed it is noticed
  before it is used; one that the server closes in the very moment of writing ends the call as
  `Unknown`, which is why they are kept unused for a few seconds only.
* **Bounds**: see `HttpLimits`. At most `calls_max` calls are under way; more end as `NotSent`.
"""

from core.providers.http.addresses import AddressRules
from core.providers.http.dial import tls_context
from core.providers.http.limits import HttpLimits
from core.providers.http.message import (
    Answered,
    BadUrlError,
    HttpRequest,
    HttpResult,
    NotSent,
    Refused,
    Target,
    Unknown,
    Withdrawn,
    field_lines,
    target_of,
)
from core.providers.http.names import Names
from core.providers.http.pool import HttpPool

__all__ = [
    "AddressRules",
    "Answered",
    "BadUrlError",
    "HttpLimits",
    "HttpPool",
    "HttpRequest",
    "HttpResult",
    "Names",
    "NotSent",
    "Refused",
    "Target",
    "Unknown",
    "Withdrawn",
    "field_lines",
    "target_of",
    "tls_context",
]
