"""Kinds of setting that occur often: what is refused is said once, here."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
Quantity = Annotated[float, Meta(ge=0.0)]
PortNumber = Annotated[int, Meta(ge=0, le=65535)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


def doc(text: str) -> Meta:
    """The explanation of one field."""
    return Meta(description=text)


def secret(text: str) -> Meta:
    """The explanation of a field whose value is never shown."""
    return Meta(description=text, extra_json_schema={"writeOnly": True})


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A section of the settings. Unknown keys are refused, values never change after loading."""

    def asdict(self) -> dict[str, Any]:
        """The section's keys and values."""
        return {name: getattr(self, name) for name in self.__struct_fields__}
