"""The sandbox's providers on a day on which everything goes wrong now and then.

`Providers` speaks to the sandbox's doors; what they refuse raises OursError.
"""

import http.client
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from core.bench.ours import CALL_TIMEOUT_S, Ours, OursError

SMSC, SMS_HTTP, MAIL, HOOK = "sandbox-smsc", "sandbox-sms-http", "sandbox-smtp", "sandbox-webhook"
REFUSALS = ("temporary", "throttled", "permanent", "temporary", "invalid_target", "throttled")

_CALLS: dict[str, Any] = {
    "latency_ms": [5, 120],
    "refuse": {"ratio": 0.03, "as": "temporary"},
    "reset_after_body": 0.002,
    "hang": 0.002,
}
_RECEIPTS = {"none": 0.03, "early": 0.1, "twice": 0.1, "fail": 0.03, "delay_ms": 50}
_CALLBACKS = {"out_of_order": 0.1, "unknown_status": 0.05, "read": 0.1, "wrong_signature": 0.02}
# What befalls one call of an SMPP connection befalls all that are under way on it.
_SHARED_FATE = {"reset_after_body": 0.0005, "hang": 0.0005}
HABITS: dict[str, dict[str, Any]] = {
    SMSC: {**_CALLS, **_SHARED_FATE, "receipt": _RECEIPTS, "id_notation": "zeros"},
    SMS_HTTP: {**_CALLS, "receipt": {**_RECEIPTS, **_CALLBACKS}, "error_in_200": 0.01},
    MAIL: {
        **_CALLS,
        "bounce": {
            "dsn": 0.03,
            "delayed": 0.02,
            "complaint": 0.01,
            "auto_reply": 0.02,
            "malformed": 0.01,
            "forged": 0.01,
        },
    },
    HOOK: {**_CALLS, "redirect": 0.01, "slow_drip": 0.05, "drip_ms": 5, "retry_after_s": 1},
}
# A day in minutes: what waits for an answer must not wait for as long as it would on a long one.
PATIENCE: dict[str, dict[str, Any]] = {
    SMSC: {"response_timeout_ms": 2_000, "throttle_wait_ms": 200, "reconnect_max_ms": 1_000},
    MAIL: {"data_timeout_ms": 2_000, "late_reply_ms": 2_000, "reconnect_max_ms": 1_000},
    SMS_HTTP: {"timeout_ms": 2_000},
    HOOK: {"timeout_ms": 2_000},
}
KEPT = ("wire", "channel", "enabled", "priority", "price", "destinations", "limits", "location")


class Providers:
    """The sandbox's providers: how they behave, where they are, and what reached them."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._address = (where.hostname or "", where.port or 80)

    def misbehave(self) -> None:
        """All of them have their habits from now on."""
        for name, habits in HABITS.items():
            self.behave(name, habits)

    def refuse_as(self, kind: str) -> None:
        """What they refuse, they refuse so from now on."""
        for name in HABITS:
            self.behave(name, {"refuse": {"as": kind}})

    def behave(self, name: str, habits: Mapping[str, object]) -> None:
        """Change a provider's behaviour; what is not named stays."""
        self._call("PUT", f"/sandbox/behaviour/{name}", msgspec.json.encode(habits))

    def behave_well(self) -> None:
        """The day is over: none of them has any habit."""
        for name in HABITS:
            self._call("DELETE", f"/sandbox/behaviour/{name}")

    def hook_port(self) -> int:
        """Where the webhook endpoint listens."""
        providers = self._call("GET", "/sandbox")["providers"]
        return next(int(each["port"]) for each in providers if each["name"] == HOOK)

    def history(self) -> list[dict[str, Any]]:
        """Everything that reached them, in order."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            page = self._call("GET", f"/sandbox/history?after={after}&limit=10000")
            if not page["data"]:
                return found
            found += page["data"]
            after = page["next"]

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        connection = http.client.HTTPConnection(*self._address, timeout=CALL_TIMEOUT_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            told = answer.read()
            if answer.status >= 400:
                raise OursError(f"{method} {path} answered {answer.status}: {told[:1_000]!r}")
            return msgspec.json.decode(told)
        finally:
            connection.close()


def lose_patience_sooner(system: Ours) -> None:
    """Give the accounts the time-outs of PATIENCE; all else about them stays."""
    for name, settings in PATIENCE.items():
        known = system.call("GET", f"/v1/providers/{name}")
        kept = {field: known[field] for field in KEPT if field in known}
        system.put_account(name, {**kept, "settings": {**known["settings"], **settings}})
