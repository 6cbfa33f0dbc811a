"""When a hub is started again for the sake of a gateway, and when it is left alone."""

import json
from itertools import pairwise

from core.supervisor.gateways import STUCK_S, Watch, outbound_of


def test_a_gateway_that_stays_away_is_stuck() -> None:
    watch = Watch()
    assert watch.looked(100.0, ["us"]) == []
    assert watch.looked(100.0 + STUCK_S - 1, ["us"]) == []
    assert watch.looked(100.0 + STUCK_S, ["us", "ap"]) == ["us"]


def test_one_that_came_back_meanwhile_begins_anew() -> None:
    watch = Watch()
    watch.looked(100.0, ["us"])
    watch.looked(105.0, [])
    assert watch.looked(100.0 + STUCK_S, ["us"]) == []
    assert watch.looked(99.0 + 2 * STUCK_S, ["us"]) == []
    assert watch.looked(100.0 + 2 * STUCK_S, ["us"]) == ["us"]


def test_starting_again_and_again_gets_rare() -> None:
    watch = Watch()
    restarts = [second for second in range(2000) if watch.looked(float(second), ["us"])]
    pauses = [later - earlier for earlier, later in pairwise(restarts)]
    assert pauses[:6] == [30, 60, 120, 240, 300, 300]
    watch.looked(2000.0, [])
    assert [each for each in range(2400, 2500) if watch.looked(float(each), ["us"])] == [
        2410,
        2440,
    ]


def test_the_monitor_says_where_gateways_lead() -> None:
    told = {"us": {"connection": {"cid": 5}}, "ap": {"connection": {"cid": 0}}}
    assert outbound_of(json.dumps({"outbound_gateways": told}).encode()) == {"us"}
    assert outbound_of(b'{"outbound_gateways": {}}') == set()


def test_no_word_of_the_monitor_is_no_gateway_missing() -> None:
    for silent in (b"", b"{", b"{}", b"[]", b'{"outbound_gateways": {"us": {}}}'):
        assert outbound_of(silent) is None
