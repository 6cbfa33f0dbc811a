"""SMS over SMPP 3.4. What every wire's package exposes, for `core/providers/registry.py`."""

from core.providers.smpp.adapter import CAPABILITIES, make
from core.providers.smpp.settings import SmppSettings as Settings

WIRE = "smpp"
SECRETS = ("password",)

__all__ = ["CAPABILITIES", "SECRETS", "WIRE", "Settings", "make"]
