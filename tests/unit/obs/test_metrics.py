"""The core's numbers as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from core.obs.metrics import CoreMetrics, Counts


def samples(metrics: CoreMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = metrics.text().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_counters_add_up_by_label() -> None:
    metrics = CoreMetrics()
    kept = metrics.accepted.of("sms", "otp")
    kept.add()
    kept.add(4)
    metrics.accepted.of("email", "bulk").add()
    found = samples(metrics)
    assert found["goutong_core_accepted_total", (("channel", "sms"), ("class", "otp"))] == 5
    assert found["goutong_core_accepted_total", (("channel", "email"), ("class", "bulk"))] == 1


def test_gauges_are_read_when_asked() -> None:
    metrics = CoreMetrics()
    held = [3.0]
    metrics.open_messages.read(lambda: held[0])
    metrics.calls_running.read(lambda: 7, "sandbox-smsc")
    assert samples(metrics)["goutong_core_open_messages", ()] == 3
    held[0] = 4.0
    assert samples(metrics)["goutong_core_open_messages", ()] == 4
    metrics.calls_running.forget("sandbox-smsc")
    assert ("goutong_core_calls_running", (("account", "sandbox-smsc"),)) not in samples(metrics)


def test_histogram_cumulates() -> None:
    metrics = CoreMetrics()
    for seconds in (0.0005, 0.003, 99.0):
        metrics.commit_seconds.observe(seconds)
    found = samples(metrics)
    bucket = "goutong_core_commit_seconds_bucket"
    assert found[bucket, (("le", "0.0005"),)] == 1
    assert found[bucket, (("le", "0.005"),)] == 2
    assert found[bucket, (("le", "+Inf"),)] == 3
    assert found["goutong_core_commit_seconds_sum", ()] == 99.0035


def test_no_created_series_and_the_process_is_there() -> None:
    names = {name for name, _ in samples(CoreMetrics())}
    assert not [name for name in names if name.endswith("_created")]
    assert "process_resident_memory_bytes" in names


def test_labels_are_bounded() -> None:
    counts = Counts("x", "x", ("reason",))
    for number in range(5000):
        counts.of(str(number)).add()
    sampled = {sample.labels["reason"]: sample.value for sample in counts.family().samples}
    assert len(sampled) <= 1001
    assert sum(sampled.values()) == 5000
    assert sampled["other"] >= 4000
