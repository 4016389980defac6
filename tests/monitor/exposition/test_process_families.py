"""The families of the process are rendered as prometheus_client renders them, without times of creation."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from monitor.exposition.process_families import process_families
from monitor.lib.telemetry import ProcessTelemetry

values = st.floats(min_value=0)


def without_creation(text: bytes) -> list[str]:
    """Return the lines of an exposition, without those of families of times of creation."""
    lines = text.decode().split("\n")
    return [
        line for line in lines if not any("_created" in word for word in line.split("{")[0].split(" ")[:3])
    ]


@given(st.dictionaries(st.text(), st.tuples(values, values), max_size=5))
def test_all_samples_are_rendered_as_by_the_library(numbers: dict[str, tuple[float, float]]) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("level", 'The "level"\nof a \\ tank.', ["tank", "a"], registry=registry)
    counter = Counter("turns", "Turns.", ["tank"], registry=registry)
    histogram = Histogram("seconds", "Seconds.", ["tank"], buckets=(1, 2.5), registry=registry)
    Gauge("empty", "", registry=registry)
    for _ in range(2):  # the second time, names and labels are cached
        for label, (level, seconds) in numbers.items():
            gauge.labels(label, "1").set(level)
            counter.labels(label).inc(seconds)
            histogram.labels(label).observe(seconds)
        rendered = process_families(registry)
        assert rendered.decode().split("\n") == without_creation(generate_latest(registry))


def test_the_families_of_every_process_are_rendered_as_by_the_library() -> None:
    registry = ProcessTelemetry().registry
    rendered, expected = (
        {line.partition(" ")[0] for line in text if not line.startswith("#")}
        for text in (
            process_families(registry).decode().split("\n"),
            without_creation(generate_latest(registry)),
        )
    )
    assert rendered == expected
    assert "headroom_event_loop_lag_seconds_sum" in rendered
