"""What an edge is told, and which part of it each of its parts gets."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from core.contract.rules import Rules
from core.contract.sections.edge import EdgeSettings
from edge.callbacks import CallbackLimits
from edge.calls import DispatchLimits
from edge.cores import CoreAddress
from edge.exchange import BatchLimits
from edge.keycache import KeyLimits
from edge.links import LinkLimits
from edge.notifications import RequestLimits
from edge.server import ServerLimits
from edge.unsubscribe import LinkDoorLimits


class EdgeConfig(Struct, frozen=True):
    """All that an edge is told. `far` are the cores of other regions than `region`, the own one."""

    settings: EdgeSettings
    cores: list[CoreAddress]
    secret: str
    horizon_s: int
    expires_in_s: Mapping[str, int]
    batch_bytes_max: int
    name: str
    region: str = ""
    far: Mapping[str, list[CoreAddress]] = {}
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
    rules = Rules(settings.recipients_max, config.horizon_s, config.expires_in_s)
    return RequestLimits(settings.json_depth_max, settings.no_core_wait_ms, rules)


def batch_limits(config: EdgeConfig) -> BatchLimits:
    settings = config.settings
    return BatchLimits(
        item_bytes_max=settings.body_bytes_max,
        bytes_max=config.batch_bytes_max,
        items_max=settings.batch_items_max,
        in_flight_max=settings.batch_in_flight_max,
        batches_max=settings.batches_max,
        answer_bytes_held_max=settings.batch_answer_bytes_held_max,
        idle_timeout_ms=settings.body_timeout_ms,
        timeout_ms=settings.batch_timeout_ms,
    )
