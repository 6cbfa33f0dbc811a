"""Providers that behave as badly as told, and send nothing to anybody: an SMSC, a mail server, and
providers that are called by HTTP.

Run it with `python -m core.sandbox` or `goutong sandbox`, or inside a test:

    async with Sandbox.start(folder) as box:
        ...  # box.smpp_port, box.smtp_port, box.url

* `GET {url}/sandbox/history?after=SEQ&limit=N`: everything that reached a provider.
* `PUT {url}/sandbox/behaviour/{provider}`: how one of them misbehaves.
* SMPP: system_id `sandbox`, password `sandbox`. SMTP: no account needed, or the same names.

It stands beside the engine and uses nothing of it; what it promises is in the modules: `history`
(what survives a kill), `smsc` and `mail_server` (what becomes of a message), `receipts` (who gets
them, and how often), `behaviour` (the habits); `http_double` (what becomes of a call by HTTP),
`callbacks` (who is told of it).
"""

from core.sandbox.app import FolderInUseError, Sandbox
from core.sandbox.limits import SandboxLimits

__all__ = ["FolderInUseError", "Sandbox", "SandboxLimits"]
