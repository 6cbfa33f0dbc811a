"""Any gateway for text messages that takes one HTTP request a message, described by settings."""

from collections.abc import Mapping
from random import Random

from core.clock import SystemClock
from core.providers.http_account import HttpAccount
from core.providers.http_gateway.capabilities import CAPABILITIES
from core.providers.http_gateway.check import problems
from core.providers.http_gateway.settings import HttpGatewaySettings as Settings
from core.providers.http_gateway.talk import GatewayTalk
from core.providers.port import Adapter, AdapterEvents

WIRE = "http_gateway"
SECRETS = ("password", "token", "callback_secret")

__all__ = ["CAPABILITIES", "SECRETS", "WIRE", "Settings", "make", "problems"]


def make(
    account_id: str,
    settings: Settings,
    secrets: Mapping[str, str],
    events: AdapterEvents,
    random: Random,
) -> Adapter:
    """The adapter of one account; nothing is connected before the first call."""
    talk = GatewayTalk(settings, secrets)
    return HttpAccount(account_id, CAPABILITIES, talk, settings, events, random, SystemClock())
