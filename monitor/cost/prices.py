"""The prices of monitoring by partition, and the service to which each metric is charged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collectors.base import Collector
from monitor.lib.partitions import COMMERCIAL

DOLLARS = "USD"
# What Firehose bills for an update, as JSON of 300 bytes: in captures, records have 4 to 135 KB, and each is
# rounded up to the next 5 KB. An HTTP endpoint costs nothing more, but what leaves AWS is data transfer.
BYTES_PER_UPDATE = 350
SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 365.25 * 86400 / 12  # of an average month


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of what is billed in a partition.

    currency: as in ISO 4217. metric: for each metric requested of GetMetricData, for any number of points.
    listing: for each call of ListMetrics. update: for each update of a Metric Stream, which has one a minute
    for each metric that has points. firehose_gigabyte: for each gigabyte that Firehose takes in. None where a
    price is not known. source: the page that says so, and the date; empty for configured prices.
    """

    currency: str = DOLLARS
    metric: float
    listing: float
    update: float | None
    firehose_gigabyte: float | None
    source: str = ""

    @property
    def streamed_update(self) -> float | None:
        """The price of an update with its delivery by Firehose."""
        if self.update is None or self.firehose_gigabyte is None:
            return None
        return self.update + BYTES_PER_UPDATE / 1e9 * self.firehose_gigabyte

    @property
    def is_in_dollars(self) -> bool:
        """True if the costs can be added up with others."""
        return self.currency == DOLLARS

    def amount(self, metrics: float = 0.0, listings: float = 0.0, updates: float = 0.0) -> float | None:
        """Return what these cost in the currency; None where a price is not known."""
        polled = metrics * self.metric + listings * self.listing
        if not updates:
            return polled
        return None if self.streamed_update is None else polled + updates * self.streamed_update


PriceTable = Mapping[str, Prices]  # by partition; one that it lacks has no price that is known

# Prices vary by region. Those of us-east-1 stand for all commercial regions, of Firehose those of Direct PUT
# for the first 500 TB of a month; both regions of China have the same. What GovCloud and the European
# sovereign cloud charge was not found.
LIST_PRICES = Prices(
    metric=0.01 / 1000,
    listing=0.01 / 1000,
    update=0.003 / 1000,
    firehose_gigabyte=0.029,
    source="https://aws.amazon.com/cloudwatch/pricing/, https://aws.amazon.com/firehose/pricing/, 2026-11-29",
)
PRICES: PriceTable = {
    COMMERCIAL: LIST_PRICES,
    "aws-cn": Prices(
        currency="CNY",
        metric=0.0651 / 1000,
        listing=0.0622 / 1000,
        update=None,
        firehose_gigabyte=None,
        source="https://www.amazonaws.cn/cloudwatch/pricing/, 2026-11-29",
    ),
}


@dataclass(frozen=True, slots=True)
class AccountPrices:
    """The prices that accounts pay: those of their partitions.

    table: by partition. partitions: of accounts; one that it lacks is commercial.
    """

    table: PriceTable = field(default_factory=lambda: PRICES)
    partitions: Mapping[str, str] = field(default_factory=dict)

    def of(self, account: str) -> Prices | None:
        """Return the prices of an account; None where they are not known."""
        return self.table.get(self.partition_of(account))

    def in_dollars(self, account: str) -> Prices | None:
        """Return the prices of an account; None if it is not billed in dollars, or they are not known."""
        prices = self.of(account)
        return prices if prices and prices.is_in_dollars else None

    def partition_of(self, account: str) -> str:
        """Return the partition of an account."""
        return self.partitions.get(account, COMMERCIAL)


LIST_PRICES_OF_ACCOUNTS = AccountPrices()


def metric_owners(collectors: Iterable[Collector]) -> Mapping[tuple[str, str], str]:
    """Return the service that each metric is charged to, by namespace and name of the metric.

    One that several services read is charged to the first of them.
    """
    owners: dict[tuple[str, str], str] = {}
    for collector in collectors:
        for metric in collector.metrics:
            owners.setdefault((metric.namespace, metric.name), collector.service)
    return owners
