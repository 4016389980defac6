"""The series that inventories found, by service and by source."""

from monitor.fleet.key import Key
from monitor.polling.discovered_series import DiscoveredSeries
from tests.fake_aws import ACCOUNT_ID


def key(service: str, resource: str) -> Key:
    return Key(ACCOUNT_ID, "eu-west-1", service, "usage", resource)


QUEUE, TOPIC = key("sqs", "orders"), key("sns", "orders")
QUEUES, TOPICS = ("sqs", "queues"), ("sns", "topics")


def discovered(*pairs: tuple[Key, tuple[str, str]]) -> DiscoveredSeries:
    series = DiscoveredSeries()
    for series_key, source in pairs:
        series.add(series_key, source)
    return series


def test_a_series_belongs_to_its_service_and_to_the_scan_that_found_it_last() -> None:
    series = discovered((QUEUE, QUEUES), (TOPIC, TOPICS), (QUEUE, ("sqs", "fifo_queues")))
    assert series.of_service("sqs") == {QUEUE: ("sqs", "fifo_queues")}
    assert series.of_service("kinesis") == {}
    assert (series.of_source(QUEUES), series.of_source(TOPICS)) == ([], [TOPIC])
    assert [*series] == [QUEUE, TOPIC]


def test_a_removed_series_is_in_no_service() -> None:
    series = discovered((QUEUE, QUEUES), (TOPIC, TOPICS))
    series.remove(QUEUE)
    assert ([*series], series.of_service("sqs")) == ([TOPIC], {})


def test_inventories_after_a_reload_begin_with_a_copy_of_the_discovered_series() -> None:
    before, after = discovered((QUEUE, QUEUES)), DiscoveredSeries()
    after |= before
    after.remove(QUEUE)
    after.add(TOPIC, TOPICS)
    assert ([*before], [*after]) == ([QUEUE], [TOPIC])
