"""The prices of monitoring, and the service to which each metric is charged.

List prices of us-east-1: https://aws.amazon.com/cloudwatch/pricing/ and, of Amazon Data Firehose,
https://aws.amazon.com/firehose/pricing/ (Direct PUT, the first 500 TB of a month).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collectors.base import Collector

# What Firehose bills for an update, as JSON of 300 bytes: in captures, records have 4 to 135 KB, and each is
# rounded up to the next 5 KB. An HTTP endpoint costs nothing more, but what leaves AWS is data transfer.
BYTES_PER_UPDATE = 350
SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 365.25 * 86400 / 12  # of an average month


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for what is billed.

    metric: for each metric requested of GetMetricData, for any number of points. listing: for each call of
    ListMetrics. update: for each update of a Metric Stream, which has one a minute for each metric that has
    points. firehose_gigabyte: for each gigabyte that Firehose takes in.
    """

    metric: float = 0.01 / 1000
    listing: float = 0.01 / 1000
    update: float = 0.003 / 1000
    firehose_gigabyte: float = 0.029

    @property
    def streamed_update(self) -> float:
        """The price of an update with its delivery by Firehose."""
        return self.update + BYTES_PER_UPDATE / 1e9 * self.firehose_gigabyte


LIST_PRICES = Prices()


def metric_owners(collectors: Iterable[Collector]) -> Mapping[tuple[str, str], str]:
    """Return the service that each metric is charged to, by namespace and name of the metric.

    One that several services read is charged to the first of them.
    """
    owners: dict[tuple[str, str], str] = {}
    for collector in collectors:
        for metric in collector.metrics:
            owners.setdefault((metric.namespace, metric.name), collector.service)
    return owners
