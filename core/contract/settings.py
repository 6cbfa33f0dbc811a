"""All settings of GouTong: read once when a process starts, frozen from then on.

`load(path, environ)` reads a TOML file and lays the environment over it: the key `lease_ms` of the
section `[protocol]` is GOUTONG_PROTOCOL_LEASE_MS. Without a path, GOUTONG_CONFIG names the file,
and without that the defaults stand. The defaults are a whole, working configuration.

Whatever is wrong is told together in one SettingsError: where it stands, what is wrong, and how to
mend it. Unknown keys are refused, because a mistyped limit that is passed over in silence is found
on the day it was needed.
"""

import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct, field

from core.contract.sections.cassandra import CassandraSettings
from core.contract.sections.common import (
    LogSettings,
    NatsSettings,
    ProtocolSettings,
    RegionSettings,
    SupervisorSettings,
)
from core.contract.sections.core import (
    CoreSettings,
    LimitsSettings,
    RetrySettings,
    StoreSettings,
    TemplatesSettings,
)
from core.contract.sections.dispatch import BreakerSettings, DispatchSettings
from core.contract.sections.edge import EdgeSettings
from core.contract.sections.kinds import Section
from core.contract.sections.regions import RegionsSettings
from core.contract.sections.sandbox import SandboxSettings
from core.contract.sections.views import ViewsSettings

PREFIX = "GOUTONG_"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Every section."""

    region: RegionSettings = field(default_factory=RegionSettings)
    regions: RegionsSettings = field(default_factory=RegionsSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    core: CoreSettings = field(default_factory=CoreSettings)
    protocol: ProtocolSettings = field(default_factory=ProtocolSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    cassandra: CassandraSettings = field(default_factory=CassandraSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    dispatch: DispatchSettings = field(default_factory=DispatchSettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    templates: TemplatesSettings = field(default_factory=TemplatesSettings)
    views: ViewsSettings = field(default_factory=ViewsSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    nats: NatsSettings = field(default_factory=NatsSettings)
    log: LogSettings = field(default_factory=LogSettings)
    supervisor: SupervisorSettings = field(default_factory=SupervisorSettings)

    @property
    def homes(self) -> tuple[str, ...]:
        """All regions of the installation; each is a home."""
        return tuple(self.regions.names) or (self.region.name,)


class SettingProblem(Struct, frozen=True):
    """One thing that is wrong: where (a file or a variable), what, and what to do about it."""

    source: str
    section: str
    key: str
    what: str
    mend: str

    def __str__(self) -> str:
        place = f"[{self.section}] {self.key}".strip() if self.section else self.key
        return (
            f"{self.source}: {place}: {self.what}. {self.mend}"
            if place
            else (f"{self.source}: {self.what}. {self.mend}")
        )


class SettingsError(Exception):
    """The settings cannot be used; `problems` has each reason."""

    def __init__(self, problems: list[SettingProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def section_types() -> dict[str, type[Section]]:
    """Each section's name and struct, in the order in which they are shown."""
    return dict(get_type_hints(Settings))


def load(path: Path | str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of this file and environment; raises SettingsError."""
    chosen = path or environ.get("GOUTONG_CONFIG") or None
    problems: list[SettingProblem] = []
    given = _from_file(Path(chosen), problems) if chosen else {}
    values: dict[str, dict[str, Any]] = {}
    for name, kind in section_types().items():
        values[name] = _section(str(chosen), name, kind, given.pop(name, {}), problems)
    problems.extend(_unknown(str(chosen), "", name, values) for name in given)
    _from_environ(environ, values, problems)
    if problems:
        raise SettingsError(problems)
    settings = msgspec.convert(values, Settings)
    problems.extend(_conflicts(settings, str(chosen or "the settings")))
    if problems:
        raise SettingsError(problems)
    return settings


def default_of(of: msgspec.structs.FieldInfo) -> Any:
    """What the key is when nobody sets it."""
    if of.default is not msgspec.NODEFAULT:
        return of.default
    return of.default_factory()


def schema() -> dict[str, Any]:
    """JSON Schema of the settings, defaults and explanations included."""
    return msgspec.json.schema(Settings)


def _from_file(path: Path, problems: list[SettingProblem]) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        mend = "Name a file that exists, or leave it out to use the defaults."
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"is not TOML: {error}"
        mend = "Correct that place; goutong.example.toml shows the form."
    problems.append(SettingProblem(str(path), "", "", what, mend))
    return {}


def _section(
    source: str, name: str, kind: type[Section], given: Any, problems: list[SettingProblem]
) -> dict[str, Any]:
    """The keys of one section of the file that are right; the others become problems."""
    if not isinstance(given, dict):
        mend = f"Write a section [{name}] with keys in it."
        problems.append(SettingProblem(source, name, "", "is not a section", mend))
        return {}
    fields = {each.name: each for each in msgspec.structs.fields(kind)}
    taken: dict[str, Any] = {}
    for key, value in given.items():
        if key not in fields:
            problems.append(_unknown(source, name, key, fields))
            continue
        try:
            taken[key] = msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            problems.append(_wrong(source, name, fields[key], value, error))
    return taken


def _from_environ(
    environ: Mapping[str, str],
    values: dict[str, dict[str, Any]],
    problems: list[SettingProblem],
) -> None:
    """Lay variables over what the file said. A variable of no section is somebody else's, unless
    it looks like a section mistyped."""
    sections = section_types()
    for variable in environ:
        name, _, key = variable.removeprefix(PREFIX).lower().partition("_")
        if variable.startswith(PREFIX) and key and name not in sections:
            close = get_close_matches(name, list(sections), n=1, cutoff=0.75)
            if close:
                problems.append(_unknown(f"environment {variable}", "", name, sections))
    for section, kind in sections.items():
        fields = {each.name: each for each in msgspec.structs.fields(kind)}
        start = f"{PREFIX}{section.upper()}_"
        for variable, text in environ.items():
            if not variable.startswith(start):
                continue
            key = variable.removeprefix(start).lower()
            if key not in fields:
                problems.append(_unknown(f"environment {variable}", section, key, fields))
                continue
            kind_of_field = fields[key].type
            listed = msgspec.json.schema(kind_of_field).get("type") == "array"
            value = [part.strip() for part in text.split(",") if part.strip()] if listed else text
            try:
                values[section][key] = msgspec.convert(value, kind_of_field, strict=False)
            except msgspec.ValidationError as error:
                source = f"environment {variable}"
                problems.append(_wrong(source, section, fields[key], text, error))


def _unknown(source: str, section: str, key: str, known: Mapping[str, Any]) -> SettingProblem:
    kind = "key" if section else "section"
    close = get_close_matches(key, list(known), n=1)
    mend = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
    return SettingProblem(source, section, key, f"is not a known {kind}", mend)


def _wrong(
    source: str, section: str, of: msgspec.structs.FieldInfo, value: Any, error: Exception
) -> SettingProblem:
    about = msgspec.json.schema(of.type)
    shown = "the value" if about.get("writeOnly") else repr(value)
    what = f"{shown} does not fit: {str(error).replace('`', '')}"
    mend = f"{about.get('description', '')} The default is {default_of(of)!r}."
    return SettingProblem(source, section, of.name, what, mend)


def _conflicts(settings: Settings, source: str) -> list[SettingProblem]:
    """Values that fit each by itself but not together."""
    protocol, retry, supervisor = settings.protocol, settings.retry, settings.supervisor
    breaker = settings.breaker
    rules = [
        *_rules_of_regions(settings),
        (
            protocol.renew_ms * 2 <= protocol.lease_ms,
            ("protocol", "renew_ms", "is more than half of lease_ms"),
            "One lost renewal must not cost the lease; lower it, or lengthen lease_ms.",
        ),
        (
            protocol.write_timeout_ms + protocol.renew_ms < protocol.lease_ms,
            ("protocol", "write_timeout_ms", "together with renew_ms is not below lease_ms"),
            "Between two renewals no call could begin; lower it, or lengthen lease_ms.",
        ),
        (
            protocol.horizon_days < protocol.ttl_days,
            ("protocol", "horizon_days", "is not below ttl_days"),
            "A message must end before its rows expire; lower it, or raise ttl_days.",
        ),
        (
            max(protocol.expires_in_s().values()) <= protocol.horizon_days * 86_400,
            ("protocol", "horizon_days", "is shorter than one of the expires_ settings"),
            "Nothing may be accepted for longer than that; raise it, or lower them.",
        ),
        (
            retry.first_ms <= retry.longest_ms,
            ("retry", "first_ms", "is above longest_ms"),
            "Lower it, or raise longest_ms.",
        ),
        (
            breaker.first_ms <= breaker.longest_ms,
            ("breaker", "first_ms", "is above longest_ms"),
            "Lower it, or raise longest_ms.",
        ),
        (
            supervisor.restart_min_ms <= supervisor.restart_max_ms,
            ("supervisor", "restart_min_ms", "is above restart_max_ms"),
            "Lower it, or raise restart_max_ms.",
        ),
    ]
    return [SettingProblem(source, *place, mend) for holds, place, mend in rules if not holds]


def _rules_of_regions(settings: Settings) -> list[tuple[bool, tuple[str, str, str], str]]:
    """What has to hold of the regions' names and of where they are kept; what and how to mend."""
    names = settings.regions.names
    replicated = [each.partition("=")[0] for each in settings.cassandra.replication]
    return [
        (
            len(set(names)) == len(names),
            ("regions", "names", "names a region twice"),
            "Name each region once, in the same order everywhere.",
        ),
        (
            not names or settings.region.name in names,
            ("regions", "names", f"does not name {settings.region.name!r}, this region"),
            "Add it, or correct the name in [region].",
        ),
        (
            len(names) <= 1 or settings.store.kind == "cassandra",
            ("store", "kind", "is not cassandra, and there are several regions"),
            "Regions share one store on Cassandra; SQLite is for one region.",
        ),
        (
            len(set(replicated)) == len(replicated),
            ("cassandra", "replication", "names a datacentre twice"),
            "Name each once, with the number of its replicas.",
        ),
    ]
