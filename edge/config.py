"""What an edge is told, and which part of it each of its parts gets."""

from pathlib import Path

from msgspec import Struct

from core.contract.sections.edge import EdgeSettings
from edge.callbacks import CallbackLimits
from edge.calls import DispatchLimits
from edge.cores import CoreAddress
from edge.keycache import KeyLimits
from edge.links import LinkLimits
from edge.notifications import RequestLimits
from edge.server import ServerLimits
from edge.unsubscribe import LinkDoorLimits


class EdgeConfig(Struct, frozen=True):
    """All that an edge is told."""

    settings: EdgeSettings
    cores: list[CoreAddress]
    secret: str
    horizon_s: int
    name: str
    processes_file: Path | None = None


def link_limits(settings: EdgeSettings) -> LinkLimits:
    return LinkLimits(
        settings.link_connect_timeout_ms,
        settings.link_reconnect_max_ms,
        settings.frame_bytes_max,
        settings.batch_bytes_max,
    )


def dispatch_limits(settings: EdgeSettings) -> DispatchLimits:
    return DispatchLimits(
        settings.request_deadline_ms,
        settings.try_timeout_ms,
        settings.same_core_wait_ms,
        settings.no_core_wait_ms,
        settings.retry_pause_ms,
        settings.outstanding_max,
        settings.links_per_core,
    )


def key_limits(settings: EdgeSettings) -> KeyLimits:
    return KeyLimits(
        settings.key_cache_max_age_ms,
        settings.key_cache_entries_max,
        settings.key_negative_ms,
        settings.key_negative_entries_max,
        settings.key_poll_ms,
        settings.key_lookup_timeout_ms,
        settings.key_lookups_max,
    )


def callback_limits(settings: EdgeSettings) -> CallbackLimits:
    return CallbackLimits(
        settings.proxy_timeout_ms,
        settings.callback_accounts_max,
        settings.callback_unknown_ms,
        settings.callback_unknown_per_s,
    )


def link_door_limits(settings: EdgeSettings) -> LinkDoorLimits:
    return LinkDoorLimits(settings.proxy_timeout_ms, settings.unsubscribe_calls_max)


def server_limits(settings: EdgeSettings) -> ServerLimits:
    return ServerLimits(
        settings.header_bytes_max,
        settings.header_timeout_ms,
        settings.keepalive_timeout_ms,
        settings.connections_max,
    )


def request_limits(config: EdgeConfig) -> RequestLimits:
    settings = config.settings
    return RequestLimits(
        settings.json_depth_max,
        settings.recipients_max,
        config.horizon_s,
        settings.no_core_wait_ms,
    )
