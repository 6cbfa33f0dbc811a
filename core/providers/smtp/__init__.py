"""E-mail by SMTP (RFC 5321): the account's settings, what the wire can do, and its adapter."""

from collections.abc import Mapping
from random import Random

from core.clock import SystemClock
from core.providers.port import Adapter, AdapterEvents
from core.providers.smtp.adapter import SmtpAdapter
from core.providers.smtp.capabilities import CAPABILITIES
from core.providers.smtp.credentials import SECRETS, problems
from core.providers.smtp.settings import SmtpSettings as Settings

WIRE = "smtp"

__all__ = ["CAPABILITIES", "SECRETS", "WIRE", "Settings", "make", "problems"]


def make(
    account_id: str,
    settings: Settings,
    secrets: Mapping[str, str],
    events: AdapterEvents,
    random: Random,
) -> Adapter:
    """The adapter of one account; nothing is connected before its `start`."""
    return SmtpAdapter(account_id, settings, secrets, events, random, SystemClock())
