"""Settings: defaults, file, environment on top, and errors that say where and what to do."""

from pathlib import Path

import msgspec
import pytest

from core.contract.settings import Settings, SettingsError, load, schema


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "goutong.toml"
    path.write_text(text)
    return path


def refused(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ or {})
    return [str(problem) for problem in caught.value.problems]


def test_defaults_are_those_of_the_protocol() -> None:
    protocol = load(None, {}).protocol
    assert (protocol.lease_ms, protocol.renew_ms, protocol.epsilon_ms) == (4000, 1000, 250)
    assert (protocol.write_timeout_ms, protocol.clock_bound_ms) == (1000, 500)
    assert (protocol.ttl_days, protocol.horizon_days) == (45, 30)
    assert protocol.receipt_window_sms_s == 72 * 3600
    hour = 3600
    expected = {"otp": 300, "alert": hour, "transactional": 24 * hour, "bulk": 72 * hour}
    assert protocol.expires_in_s() == expected


def test_environment_lies_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[region]\nname = "eu"\nhome_shards = 32\n')
    settings = load(path, {"GOUTONG_REGION_NAME": "us"})
    assert (settings.region.name, settings.region.home_shards) == ("us", 32)


def test_environment_names_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[region]\nname = "eu"\n')
    assert load(None, {"GOUTONG_CONFIG": str(path)}).region.name == "eu"


def test_environment_values_take_the_type_of_their_key() -> None:
    settings = load(
        None,
        {
            "GOUTONG_EDGE_PORT": "9000",
            "GOUTONG_RETRY_JITTER": "0.5",
            "GOUTONG_SUPERVISOR_SANDBOX": "false",
            "GOUTONG_SUPERVISOR_CORE_COMMAND": "python, -m,core",
        },
    )
    assert settings.edge.port == 9000
    assert settings.retry.jitter == 0.5
    assert settings.supervisor.sandbox is False
    assert settings.supervisor.core_command == ["python", "-m", "core"]


def test_other_variables_of_goutong_are_not_settings() -> None:
    others = ("GOUTONG_INTERNAL_SECRET", "GOUTONG_VAULT_KEY", "GOUTONG_URL", "GOUTONG_API_KEY")
    assert load(None, dict.fromkeys(others, "x")) == Settings()


def test_mistakes_are_told_together_with_place_and_mend(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[protocol]\nlease_m = 1\n[edge]\nport = 99999\n[retry]\njitter = "much"\n'
    )
    port, key, jitter = refused(path)
    assert key == f"{path}: [protocol] lease_m: is not a known key. Did you mean lease_ms?"
    assert port.startswith(f"{path}: [edge] port: 99999 does not fit: Expected int <= 65535.")
    assert port.endswith("The default is 8080.")
    assert "[retry] jitter: 'much' does not fit: Expected float, got str" in jitter


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[protocl]\nlease_ms = 1\n", "protocl: is not a known section. Did you mean protocol?"),
        ("protocol = 5\n", "[protocol]: is not a section"),
        ("lease_ms = 5\n", "lease_ms: is not a known section."),
        ("[protocol\n", "is not TOML"),
        ('[region]\nname = "Europe!"\n', "[region] name: 'Europe!' does not fit"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, said: str) -> None:
    assert said in "\n".join(refused(written(tmp_path, text)))


def test_file_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path / "none.toml")
    assert "none.toml: cannot be read: No such file" in problem


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("GOUTONG_PROTOCOL_LEASE_M", "Did you mean lease_ms?"),
        ("GOUTONG_PROTCOL_LEASE_MS", "Did you mean protocol?"),
        ("GOUTONG_EDGE_PORT", "environment GOUTONG_EDGE_PORT: [edge] port: 'x' does not fit"),
    ],
)
def test_mistakes_in_the_environment(variable: str, said: str) -> None:
    assert said in "\n".join(refused(None, {variable: "x"}))


def test_secret_values_are_not_repeated() -> None:
    (problem,) = refused(None, {"GOUTONG_LOG_HASH_KEY": "geheim"})
    assert "geheim" not in problem
    assert "[log] hash_key: the value does not fit" in problem


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"GOUTONG_PROTOCOL_RENEW_MS": "2500"}, "renew_ms: is more than half of lease_ms"),
        ({"GOUTONG_PROTOCOL_WRITE_TIMEOUT_MS": "3000"}, "write_timeout_ms: together with"),
        ({"GOUTONG_PROTOCOL_HORIZON_DAYS": "45"}, "horizon_days: is not below ttl_days"),
        ({"GOUTONG_PROTOCOL_HORIZON_DAYS": "2"}, "shorter than one of the expires_ settings"),
        ({"GOUTONG_RETRY_FIRST_MS": "400000"}, "first_ms: is above longest_ms"),
    ],
)
def test_values_that_do_not_fit_together(environ: dict[str, str], said: str) -> None:
    assert said in "\n".join(refused(None, environ))


def test_settings_cannot_be_changed_after_loading() -> None:
    settings = load(None, {})
    with pytest.raises(AttributeError):
        settings.edge.port = 1  # type: ignore[misc]


def test_schema_describes_every_key() -> None:
    described = schema()["$defs"]
    for section in msgspec.structs.fields(Settings):
        keys = described[section.type.__name__]["properties"]
        assert set(keys) == set(section.type.__struct_fields__)
        assert all(key.get("description") for key in keys.values())
