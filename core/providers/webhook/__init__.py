"""Webhooks as Standard Webhooks 1.0.0 describe them, to any https or http URL.

* `webhook-id` is the message's id (of an event: the event's), the same over all retries;
  `webhook-timestamp` is the attempt's; `webhook-signature` has one signature for each secret (see
  signing.py).
* Only 2xx is success (see classify.py for the rest); redirects are not followed.
* Private networks cannot be reached unless the account's settings allow it. Names are looked up by
  us, every address is checked, and the connection goes to the address that was checked.
* An endpoint that hangs holds up its own calls only. There are no receipts.
"""

from collections.abc import Mapping
from random import Random

from core.clock import SystemClock
from core.providers.port import Adapter, AdapterEvents
from core.providers.webhook.adapter import WebhookAdapter
from core.providers.webhook.capabilities import CAPABILITIES
from core.providers.webhook.settings import WebhookSettings as Settings

WIRE = "webhook"
SECRETS = ("secret",)

__all__ = ["CAPABILITIES", "SECRETS", "WIRE", "Settings", "make"]


def make(
    account_id: str,
    settings: Settings,
    secrets: Mapping[str, str],
    events: AdapterEvents,
    _random: Random,
) -> Adapter:
    """The adapter of one account; nothing is connected before a call needs it."""
    return WebhookAdapter(account_id, settings, secrets.get("secret", ""), events, SystemClock())
