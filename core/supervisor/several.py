"""What `goutong up --regions eu,us,ap` is about, made ready before anything starts.

Each region has a folder of its own inside of the data folder. What they share lies beside: the
keys, the sandbox, and `regions.json`, by which they find each other. All ports are settled here,
because regions that start at once must not choose the same one.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from core.contract.settings import SettingProblem, Settings, SettingsError, load
from core.supervisor import installation as known
from core.supervisor.cassandra.addresses import free_addresses
from core.supervisor.cassandra.cluster import Launch, prepare
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import Installation, Node, region_env
from core.supervisor.parts import (
    CONFIG_STORE,
    GATEWAY_KEY,
    HASH_KEY,
    INTERNAL_KEY,
    VAULT_KEY,
    VAULT_VARIABLE,
    core_links,
    reach,
    region_ports,
    sandbox_ports,
)
from core.supervisor.ports import keep_ports
from core.supervisor.seed import keys_of
from core.supervisor.site import RegionSite, Site, hold
from core.supervisor.store_opening import Opening, open_store
from core.tenants.vault import create_vault_key

Tell = Callable[[str], None]


def checked(config: Path | None, names: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """The settings of the first region, once those of every region are right."""
    found = [load(config, {**environ, **region_env(names, name)}) for name in names]
    fixed = [
        (section, key)
        for section, key, port in (
            ("supervisor", "edge_port", found[0].supervisor.edge_port),
            ("core", "bounce_port", found[0].core.bounce_port),
        )
        if port and len(names) > 1
    ]
    if fixed:
        mend = "Leave it out: each region is given a port of its own, and keeps it."
        what = "is one port, and there are several regions on this machine"
        source = str(config or "the settings")
        raise SettingsError([SettingProblem(source, *place, what, mend) for place in fixed])
    return found[0]


def fetched(settings: Settings, environ: Mapping[str, str], tell: Tell) -> Launch | None:
    """Java and Cassandra, fetched on first use; None where the settings name a cluster to use.

    Raises CassandraError, saying how to mend it.
    """
    if settings.cassandra.contact_points:
        return None
    return prepare(settings.cassandra, environ, tell)


def names_of(data: Path, asked: Sequence[str]) -> list[str]:
    """The regions to start: those asked for, or those that this folder is of; empty: one region.

    Raises FolderError where the folder is of others.
    """
    folder = DataFolder(data)
    begun = known.read(folder)
    names = list(asked) or (begun.names if begun else [])
    if begun is not None and begun.names != names:
        raise FolderError(
            f"{folder.path}: was begun with --regions {','.join(begun.names)}, in this order. "
            "Start it with these, or leave --regions out, or name another folder with --data."
        )
    if names and begun is None and (folder.path / CONFIG_STORE).exists():
        raise FolderError(
            f"{folder.path}: was begun with one region on SQLite. Name another folder with --data."
        )
    return names


async def prepare_several(
    data: Path,
    config: Path | None,
    cores: int | None,
    names: Sequence[str],
    environ: Mapping[str, str],
    launch: Launch | None,
    tell: Tell,
) -> Site:
    """Make the folders ready. Raises SettingsError, or FolderError when they are in use."""
    settings = checked(config, names, environ)
    cores = cores or settings.supervisor.cores
    folder = DataFolder(data)
    folders = [DataFolder(folder.path / name, folder) for name in names]
    held = await hold([folder, *folders], settings.supervisor.lock_wait_ms)
    ports, by_region, notices = _ports(settings, folder, folders, cores)
    host = reach(settings.core.host)
    links = {name: core_links(host, each, cores) for name, each in by_region.items()}
    installation = _settled(folder, links, ports, launch)
    environs = [region_env(names, name, installation.addresses) for name in names]
    first = by_region[names[0]]
    _make_secrets(folder, environ)
    told = {**ports, **_bounces(first)} if settings.supervisor.sandbox else {}
    opening = Opening(
        settings=load(config, {**environ, **environs[0]}),
        folder=folder,
        installation=installation,
        keys=keys_of(folder),
        sandbox=(reach(settings.sandbox.host), told) if told else None,
        environ=environ,
        edge_url=f"http://{reach(settings.edge.host)}:{first['edge']}",
    )
    (folder.path / known.STORE_OPENED).unlink(missing_ok=True)
    return Site(
        settings=settings,
        folder=folder,
        cores=cores,
        keys=opening.keys,
        held=held,
        sandbox_ports=told,
        notices=notices,
        regions=[RegionSite(*each) for each in zip(names, folders, environs, strict=True)],
        config=config,
        open_store=partial(open_store, opening, tell),
    )


def _ports(
    settings: Settings, folder: DataFolder, regions: list[DataFolder], cores: int
) -> tuple[dict[str, int], dict[str, dict[str, int]], list[str]]:
    """The ports beside the regions (gateways, sandbox), those of each region, and what moved."""
    chance = random.SystemRandom()
    wanted = [(gateway_name(each.path.name), 0) for each in regions]
    if settings.supervisor.sandbox:
        wanted += [each for each in sandbox_ports(settings) if not each[0].startswith("core-")]
    ports, notices = keep_ports(folder, wanted, chance)
    taken = set(ports.values())
    by_region = {}
    for each in regions:
        found, moved = keep_ports(each, region_ports(settings, cores), chance, taken)
        by_region[each.path.name] = found
        notices += [f"region {each.path.name}: {notice}" for notice in moved]
        taken |= set(found.values())
    return ports, by_region, notices


def gateway_name(region: str) -> str:
    """Under which name the port of this region's gateway is kept."""
    return f"gateway-{region}"


def _make_secrets(folder: DataFolder, environ: Mapping[str, str]) -> None:
    """What regions share, before any of them starts: two that made one at once would differ."""
    for name in (INTERNAL_KEY, HASH_KEY, GATEWAY_KEY):
        folder.secret(name)
    if not environ.get(VAULT_VARIABLE):
        create_vault_key(folder.path / VAULT_KEY)


def _bounces(ports: Mapping[str, int]) -> dict[str, int]:
    """Where the sandbox's mail server sends bounces: to one region, as the world's would."""
    return {"core-0-bounce": ports["core-0-bounce"]}


def _settled(
    folder: DataFolder, links: Mapping[str, str], ports: Mapping[str, int], launch: Launch | None
) -> Installation:
    """The installation as it is this time, kept for whoever starts a region again."""
    names = list(links)
    before = known.read(folder)
    addresses: dict[str, str] = {}
    if launch is not None:
        kept = list(before.addresses.values()) if before else []
        free = free_addresses(len(names), random.SystemRandom(), kept)
        if kept and free != kept:
            raise FolderError(
                f"{folder.path}: an address of its Cassandra nodes ({', '.join(kept)}) is used by "
                "another program, perhaps a node that still ends. End it, and try again."
            )
        addresses = dict(zip(names, free, strict=True))
    installation = Installation(
        names=names,
        cores=dict(links),
        gateways={name: ports[gateway_name(name)] for name in names},
        addresses=addresses,
        node=Node(launch.java, str(launch.jars), launch.heap_mib) if launch else None,
    )
    folder.write_json(known.FILE, installation, 0o600)
    return installation
