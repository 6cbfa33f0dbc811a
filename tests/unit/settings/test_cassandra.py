"""Settings of the store on Cassandra, as the store takes them."""

import pytest

from core.cassandra_store import cassandra_of, wanted_of
from core.contract.settings import SettingsError, load

REGIONS = {
    "GOUTONG_REGION_NAME": "us",
    "GOUTONG_REGIONS_NAMES": "eu,us,ap",
    "GOUTONG_STORE_KIND": "cassandra",
    "GOUTONG_CASSANDRA_CONTACT_POINTS": "10.0.0.1,10.0.0.2",
}


def test_each_region_has_three_replicas_unless_said_otherwise() -> None:
    store = cassandra_of(load(None, REGIONS))
    assert (store.region, store.addresses) == ("us", ("10.0.0.1", "10.0.0.2"))
    assert store.replication == {"eu": 3, "us": 3, "ap": 3}
    given = {**REGIONS, "GOUTONG_CASSANDRA_REPLICATION": "eu=1,us=5"}
    assert cassandra_of(load(None, given)).replication == {"eu": 1, "us": 5}


def test_times_and_secrets_reach_the_store() -> None:
    given = {
        **REGIONS,
        "GOUTONG_PROTOCOL_WRITE_TIMEOUT_MS": "700",
        "GOUTONG_PROTOCOL_TTL_DAYS": "60",
        "GOUTONG_CASSANDRA_USER": "goutong",
        "GOUTONG_CASSANDRA_PASSWORD": "sesame",
        "GOUTONG_CASSANDRA_TLS": "true",
        "GOUTONG_CASSANDRA_TLS_CA_FILE": "ca.pem",
        "GOUTONG_CASSANDRA_TLS_CHECK_HOST": "false",
    }
    store = cassandra_of(load(None, given))
    assert (store.request_timeout_s, store.ttl_s) == (0.7, 60 * 86_400)
    assert (store.user, store.password) == ("goutong", "sesame")
    assert store.tls is not None
    assert (store.tls.ca_file, store.tls.check_host) == ("ca.pem", False)
    assert cassandra_of(load(None, REGIONS)).tls is None


def test_what_is_tolerated_reaches_the_check() -> None:
    given = {**REGIONS, "GOUTONG_CASSANDRA_TOLERATE": "commitlog_sync,clock"}
    wanted = wanted_of(load(None, given), "use")
    assert wanted.tolerated == {"commitlog_sync", "clock"}
    assert (wanted.production, wanted.clock_bound_ms) == (True, 500)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("CASSANDRA_REPLICATION", "eu=1,eu=2", "names a datacentre twice"),
        ("CASSANDRA_REPLICATION", "eu:3", "does not fit"),
        ("CASSANDRA_REPLICATION", "eu=0", "does not fit"),
        ("CASSANDRA_KEYSPACE", "Drop Table", "does not fit"),
        ("REGIONS_NAMES", "eu,us,eu", "names a region twice"),
        ("REGIONS_NAMES", "eu,ap", "does not name 'us'"),
        ("STORE_KIND", "sqlite", "there are several regions"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load(None, {**REGIONS, f"GOUTONG_{name}": text})
