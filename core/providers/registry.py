"""The wires that accounts can be configured on, each loaded when it is first asked for.

A wire is a package that exposes what `Wire` names. Unknown names raise KeyError.
"""

from collections.abc import Mapping
from importlib import import_module
from random import Random
from types import MappingProxyType
from typing import Any, Protocol, cast, runtime_checkable

from msgspec import Struct

from core.contract.pointers import FieldProblem
from core.providers.port import Adapter, AdapterEvents, Capabilities

WIRES: Mapping[str, str] = MappingProxyType(
    {
        "http_gateway": "core.providers.http_gateway",
        "smpp": "core.providers.smpp",
        "sms_http": "core.providers.sms_http",
        "smtp": "core.providers.smtp",
        "webhook": "core.providers.webhook",
    }
)


class Make(Protocol):
    """Makes the adapter for one configured account, in the running event loop."""

    def __call__(
        self,
        account_id: str,
        settings: Struct,
        secrets: Mapping[str, str],
        events: AdapterEvents,
        random: Random,
        /,
    ) -> Adapter: ...


class Wire(Protocol):
    """What a wire's package exposes: its name, its settings, and how to make an adapter."""

    WIRE: str
    SECRETS: tuple[str, ...]
    CAPABILITIES: Capabilities
    Settings: type[Struct]
    make: Make


@runtime_checkable
class Checks(Protocol):
    """A wire whose settings and secrets have rules that single fields do not show."""

    def problems(self, settings: Any, secrets: Mapping[str, str | None], /) -> list[FieldProblem]:
        """All that is wrong; a secret that is there already, sealed, has the value None."""


def wire(name: str) -> Wire:
    """The wire of that name."""
    return cast(Wire, import_module(WIRES[name]))
