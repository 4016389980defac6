"""The series that inventories found, by service and by source."""

from monitor.fleet.key import Key
from monitor.polling.discovered_series import DiscoveredSeries
from tests.fake_aws import ACCOUNT_ID


def key(service: str, resource: str) -> Key:
    return Key(ACCOUNT_ID, "eu-west-1", service, "usage", resource)


QUEUE, TOPIC = key("sqs", "orders"), key("sns", "orders")
QUEUE_SCAN, TOPIC_SCAN = ("sqs", "queues"), ("sns", "topics")


def discovered_series_of(*pairs: tuple[Key, tuple[str, str]]) -> DiscoveredSeries:
    series = DiscoveredSeries()
    for series_key, source in pairs:
        series.add(series_key, source)
    return series


def test_a_series_belongs_to_its_service_and_to_the_scan_that_found_it_last() -> None:
    series = discovered_series_of((QUEUE, QUEUE_SCAN), (TOPIC, TOPIC_SCAN), (QUEUE, ("sqs", "fifo_queues")))
    assert series.of_service("sqs") == {QUEUE: ("sqs", "fifo_queues")}
    assert series.of_service("kinesis") == {}
    assert (series.of_source(QUEUE_SCAN), series.of_source(TOPIC_SCAN)) == ([], [TOPIC])
    assert [*series] == [QUEUE, TOPIC]


def test_a_removed_series_is_in_no_service() -> None:
    series = discovered_series_of((QUEUE, QUEUE_SCAN), (TOPIC, TOPIC_SCAN))
    series.remove(QUEUE)
    assert ([*series], series.of_service("sqs")) == ([TOPIC], {})


def test_inventories_after_a_reload_begin_with_a_copy_of_the_discovered_series() -> None:
    before, after = discovered_series_of((QUEUE, QUEUE_SCAN)), DiscoveredSeries()
    after |= before
    after.remove(QUEUE)
    after.add(TOPIC, TOPIC_SCAN)
    assert ([*before], [*after]) == ([QUEUE], [TOPIC])
