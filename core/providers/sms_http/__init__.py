"""Text messages over HTTP in Twilio's form (Messages API), with signed status callbacks."""

from collections.abc import Mapping
from random import Random

from core.clock import SystemClock
from core.providers.http_account import HttpAccount
from core.providers.port import Adapter, AdapterEvents
from core.providers.sms_http.capabilities import CAPABILITIES
from core.providers.sms_http.settings import SmsHttpSettings as Settings
from core.providers.sms_http.settings import problems
from core.providers.sms_http.talk import TwilioTalk

WIRE = "sms_http"
SECRETS = ("auth_token", "api_key_secret", "shared_key")

__all__ = ["CAPABILITIES", "SECRETS", "WIRE", "Settings", "make", "problems"]


def make(
    account_id: str,
    settings: Settings,
    secrets: Mapping[str, str],
    events: AdapterEvents,
    random: Random,
) -> Adapter:
    """The adapter of one account; nothing is connected before the first call."""
    talk = TwilioTalk(settings, secrets)
    return HttpAccount(account_id, CAPABILITIES, talk, settings, events, random, SystemClock())
