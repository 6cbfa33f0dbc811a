"""What several regions are told before they start: settings, ports, keys, their neighbours."""

from pathlib import Path

import pytest

from core.contract.settings import SettingsError, load
from core.supervisor.cassandra.cluster import Launch
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import Installation, Node, read, region_env
from core.supervisor.parts import cassandra_part, core_parts, edge_part, far_cores, nats_part
from core.supervisor.several import checked, names_of, prepare_several
from core.supervisor.site import Site
from core.tenants.vault import load_vault

NAMES = ["eu", "us", "ap"]


async def prepared(data: Path, launch: Launch | None = None, names: list[str] = NAMES) -> Site:
    site = await prepare_several(data, None, None, names, {}, launch, lambda text: None)
    site.held.release()
    return site


def keys_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.key")}


def ports_of(site: Site) -> list[int]:
    """Every port of every folder."""
    found = []
    for folder in site.folders:
        found += list((folder.read_json("ports.json") or {}).values())
    return found


async def test_every_process_has_a_port_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    site = await prepared(tmp_path)
    ports = ports_of(site)
    assert len(ports) == len(set(ports)) >= 3 * 6
    assert ports_of(await prepared(tmp_path)) == ports


async def test_regions_are_told_of_each_other_and_of_themselves(tmp_path: Path) -> None:
    site = await prepared(tmp_path, Launch("/java", tmp_path / "jars", 300))
    known = read(site.folder)
    assert known is not None
    assert known.names == NAMES
    assert list(known.others("us")) == ["eu", "ap"]
    for region in site.regions:
        settings = load(None, region.env)
        assert settings.region.name == region.name
        assert settings.regions.names == NAMES
        assert settings.store.kind == "cassandra"
        assert settings.cassandra.contact_points == [known.addresses[region.name]]
        assert settings.cassandra.replication == ["eu=1", "us=1", "ap=1"]
        assert region.folder.path == tmp_path / region.name


async def test_what_regions_share_is_made_before_any_of_them_starts(tmp_path: Path) -> None:
    """Supervisors that start at once would each make their own."""
    site = await prepared(tmp_path)
    assert keys_in(tmp_path) == {"internal.key", "hash.key", "gateway.key", "vault.key"}
    for region in site.regions:
        ports = region.folder.read_json("ports.json")
        (core,) = core_parts(load(None, region.env), region.folder, ports, 1, read(site.folder))
        assert not load_vault(core.env["GOUTONG_VAULT_KEY"], tmp_path / "none").problem


async def test_addresses_of_nodes_are_kept(tmp_path: Path) -> None:
    launch = Launch("/java", tmp_path / "jars", 300)
    before = read((await prepared(tmp_path, launch)).folder)
    assert read((await prepared(tmp_path, launch)).folder) == before


def test_one_set_of_keys_but_a_user_of_nats_for_each(tmp_path: Path) -> None:
    shared = DataFolder(tmp_path)
    (tmp_path / "vault.key").write_text("the vault's key\n")
    cores = dict.fromkeys(NAMES, "127.0.0.1:1/2")
    known = Installation(NAMES, cores, {"eu": 1, "us": 2, "ap": 3}, {})
    seen = {}
    for name in NAMES:
        settings = load(None, region_env(NAMES, name))
        folder = DataFolder(tmp_path / name, shared)
        ports = dict.fromkeys(
            ("edge", "nats", "nats-http", "core-0-http", "core-0-link", "core-0-bounce"), 5
        )
        nats_part(settings, folder, ports, known)
        (core,) = core_parts(settings, folder, ports, 1, known)
        edge = edge_part(settings, folder, ports, 1, known)
        assert edge.env["GOUTONG_INTERNAL_SECRET"] == core.env["GOUTONG_INTERNAL_SECRET"]
        assert "GOUTONG_VAULT_KEY" not in edge.env
        seen[name] = core.env
        assert core.env["GOUTONG_NATS_URL"].startswith(f"nats://{name}:")
        assert folder.secret("nats.key") in (folder.path / "nats.conf").read_text()
    for same in ("GOUTONG_INTERNAL_SECRET", "GOUTONG_LOG_HASH_KEY", "GOUTONG_VAULT_KEY"):
        assert len({env[same] for env in seen.values()}) == 1
    assert seen["eu"]["GOUTONG_VAULT_KEY"] == "the vault's key"
    hubs = [(tmp_path / name / "nats.conf").read_text() for name in NAMES]
    eu_secret = DataFolder(tmp_path / "eu").secret("nats.key")
    assert [eu_secret in text for text in hubs] == [True, False, False]
    assert all(shared.secret("gateway.key") in text for text in hubs)


def test_a_node_is_started_in_its_regions_folder(tmp_path: Path) -> None:
    shared = DataFolder(tmp_path)
    addresses = {name: f"127.9.9.{number}" for number, name in enumerate(NAMES, 1)}
    known = Installation(NAMES, {}, {}, addresses, Node("/java", "/jars", 300))
    part = cassandra_part(DataFolder(tmp_path / "us", shared), "us", known)
    assert part is not None
    assert part.argv[0] == "/java" and "-Xmx300M" in part.argv
    assert part.url == part.probe == "cql://127.9.9.2:9042"
    conf = tmp_path / "us" / "cassandra" / "conf"
    assert "dc=us" in (conf / "cassandra-rackdc.properties").read_text()
    assert "127.9.9.1:7000,127.9.9.2:7000,127.9.9.3:7000" in (conf / "cassandra.yaml").read_text()
    not_ours = Installation(NAMES, {}, {}, {})
    assert cassandra_part(DataFolder(tmp_path / "us", shared), "us", not_ours) is None


async def test_an_edge_is_told_the_other_regions_cores_the_next_one_first(tmp_path: Path) -> None:
    site = await prepare_several(tmp_path, None, 2, NAMES, {}, None, lambda text: None)
    site.held.release()
    known = read(site.folder)
    assert known is not None
    told = {}
    for region in site.regions:
        ports = region.folder.read_json("ports.json")
        links = [f"127.0.0.1:{ports[f'core-{n}-link']}/{ports[f'core-{n}-http']}" for n in (0, 1)]
        told[region.name] = f"{region.name}={','.join(links)}"
    assert far_cores(known, "eu") == f"{told['us']};{told['ap']}"
    assert far_cores(known, "us") == f"{told['ap']};{told['eu']}"
    assert far_cores(known, "ap") == f"{told['eu']};{told['us']}"


async def test_a_folder_goes_on_with_the_regions_that_it_was_begun_with(tmp_path: Path) -> None:
    assert names_of(tmp_path / "new", []) == []
    await prepared(tmp_path)
    assert names_of(tmp_path, []) == NAMES
    assert names_of(tmp_path, NAMES) == NAMES
    for others in (["eu", "us"], ["us", "eu", "ap"]):
        with pytest.raises(FolderError, match="was begun with --regions eu,us,ap, in this order"):
            names_of(tmp_path, others)


def test_a_folder_of_one_region_is_no_folder_of_several(tmp_path: Path) -> None:
    (tmp_path / "config.db").touch()
    assert names_of(tmp_path, []) == []
    with pytest.raises(FolderError, match="was begun with one region on SQLite"):
        names_of(tmp_path, NAMES)


def test_one_port_cannot_be_every_regions(tmp_path: Path) -> None:
    environ = {"GOUTONG_SUPERVISOR_EDGE_PORT": "8080", "GOUTONG_CORE_BOUNCE_PORT": "2525"}
    with pytest.raises(SettingsError) as caught:
        checked(None, NAMES, environ)
    assert [(each.section, each.key) for each in caught.value.problems] == [
        ("supervisor", "edge_port"),
        ("core", "bounce_port"),
    ]
    assert checked(None, ["eu"], environ).supervisor.edge_port == 8080


async def test_two_launchers_do_not_share_a_folder(tmp_path: Path) -> None:
    environ = {"GOUTONG_SUPERVISOR_LOCK_WAIT_MS": "30"}
    data = tmp_path / "data"
    held = DataFolder(data).lock("up", 0)
    assert held is not None
    with pytest.raises(FolderError, match="another `goutong up` runs on this folder"):
        await prepare_several(data, None, None, NAMES, environ, None, lambda text: None)
    held.release()
    left = DataFolder(data / "us").lock("core-0", 0)
    assert left is not None
    with pytest.raises(FolderError, match="processes of an earlier start still run: core-0"):
        await prepare_several(data, None, None, NAMES, environ, None, lambda text: None)
    left.release()
    assert not (data / "regions.json").exists()
