"""What arrives, when, and what does not."""

from functools import partial
from random import Random

import pytest

from core.sim.network import Network, NetworkRates
from core.sim.process import Process
from core.sim.scheduler import Scheduler

NAMES = ["a", "b", "c", "d", "e"]


def network(rates: NetworkRates | None = None, regions: int = 3, seed: int = 1) -> Network:
    return Network(Scheduler(), Random(seed), NAMES[:regions], rates or NetworkRates())


def arrivals(net: Network, src: str, dst: str, count: int) -> list[tuple[int, float]]:
    """(number, virtual time) of each arrival of so many messages sent now."""
    found: list[tuple[int, float]] = []
    scheduler = net._scheduler
    begun_s = scheduler.now

    def arrived(number: int) -> None:
        found.append((number, scheduler.now - begun_s))

    for number in range(count):
        net.send(src, dst, partial(arrived, number))
    scheduler.run_until(begun_s + 10)
    return found


def test_near_is_fast_and_far_is_slow() -> None:
    net = network()
    assert all(at_s < 0.001 for _, at_s in arrivals(net, "a", "a", 20))
    assert all(0.02 <= at_s <= 0.12 for _, at_s in arrivals(net, "a", "b", 20))


def test_each_arrives_once_without_faults() -> None:
    assert sorted(n for n, _ in arrivals(network(), "a", "b", 50)) == list(range(50))


def test_losses_repeats_and_late_arrivals_are_counted() -> None:
    net = network(NetworkRates(loss=0.2, duplicate=0.2, reorder=0.2))
    numbers = [n for n, _ in arrivals(net, "a", "b", 500)]
    assert len(set(numbers)) == 500 - net.counts["lost"]
    assert len(numbers) == len(set(numbers)) + net.counts["duplicated"]
    assert min(net.counts[k] for k in ("lost", "duplicated", "reordered")) > 50
    net.faulty = False
    assert len(arrivals(net, "a", "b", 100)) == 100


def test_nothing_happens_inside_a_region() -> None:
    net = network(NetworkRates(loss=0.9))
    assert len(arrivals(net, "a", "a", 100)) == 100


def test_a_dead_process_gets_nothing() -> None:
    net = network()
    process, got = Process("p", "b", net._scheduler), []
    net.send("a", "b", lambda: got.append(1), process)
    process.die("gone")
    net._scheduler.run_until(1)
    assert got == []


def test_cuts_by_direction_until_healed() -> None:
    net = network()
    net.cut_one_way("a", "b")
    assert (net.reachable("a", "b"), net.reachable("b", "a")) == (False, True)
    assert not net.connected("b", "a")
    assert arrivals(net, "a", "b", 3) == []
    assert len(arrivals(net, "b", "a", 3)) == 3
    net.heal()
    assert len(arrivals(net, "a", "b", 3)) == 3
    assert net.counts["stopped by a cut"] == 3


def sees(net: Network) -> dict[str, set[str]]:
    return {a: {b for b in net.regions if net.connected(a, b)} for a in net.regions}


def test_shapes_of_cuts() -> None:
    net = network()
    net.isolate("b")
    assert sees(net) == {"a": {"a", "c"}, "b": {"b"}, "c": {"a", "c"}}
    net = network(regions=5)
    net.halves(["a", "b"])
    assert sees(net)["a"] == {"a", "b"}
    assert sees(net)["c"] == {"c", "d", "e"}
    net = network(regions=5)
    net.bridge("c", ["a", "b"])
    assert sees(net)["c"] == set(NAMES)
    assert sees(net)["a"] == {"a", "b", "c"}
    assert sees(net)["e"] == {"c", "d", "e"}


@pytest.mark.parametrize("regions", [4, 5])
def test_a_ring_of_majorities(regions: int) -> None:
    net = network(regions=regions)
    net.majorities_ring()
    seen = [frozenset(there) for there in sees(net).values()]
    assert len(set(seen)) == regions
    assert all(len(there) > regions // 2 for there in seen)
    assert all(len(there) < regions for there in seen)


def test_a_ring_of_three_goes_one_way() -> None:
    net = network()
    net.majorities_ring()
    reached = {a: {b for b in net.regions if net.reachable(a, b)} for a in net.regions}
    assert reached == {"a": {"a", "b"}, "b": {"b", "c"}, "c": {"c", "a"}}


def test_the_same_seed_gives_the_same_network() -> None:
    rates = NetworkRates(loss=0.1, duplicate=0.1, reorder=0.1)
    runs = [arrivals(network(rates, seed=5), "a", "b", 100) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0] != arrivals(network(rates, seed=6), "a", "b", 100)


def test_a_fault_can_be_noted_and_forbidden() -> None:
    asked: list[tuple[int, str, str]] = []

    def permit(number: int, what: str, link: str) -> bool:
        asked.append((number, what, link))
        return number != 2

    net = network(NetworkRates(loss=1.0))
    net.permit = permit
    assert [n for n, _ in arrivals(net, "a", "b", 3)] == [1]
    assert asked == [(n, "lost", "a to b") for n in (1, 2, 3)]
    assert net.counts["lost"] == 2
