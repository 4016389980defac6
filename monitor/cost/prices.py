"""The prices of monitoring by partition, and the service to which each metric is charged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collectors.base import Collector
from monitor.lib.partitions import COMMERCIAL

DOLLARS = "USD"
# The bytes that Firehose bills for an update. An update is 300 bytes of JSON; Firehose rounds each record of
# many updates (captured records had 4 to 135 KB) up to the next 5 KB. Delivery to an HTTP endpoint costs
# nothing more, except data transfer.
BYTES_PER_UPDATE = 350
SECONDS_PER_HOUR = 3600
SECONDS_PER_MONTH = 365.25 * 86400 / 12  # of an average month
MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of monitoring in a partition. A price is None if it is not known.

    currency: the code of ISO 4217. metric: the price of a metric requested of GetMetricData, for any number
    of points. listing: the price of a call of ListMetrics. update: the price of an update of a Metric Stream;
    a metric has one update in each minute with points. firehose_gigabyte: the price of a gigabyte that
    Firehose takes in. source: the page with the prices, and the date; empty for configured prices.
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
        """True if the prices are in US dollars, so that costs can be added up."""
        return self.currency == DOLLARS

    def amount(self, metrics: float = 0.0, listings: float = 0.0, updates: float = 0.0) -> float | None:
        """Return the cost in the currency; None if a price is not known.

        metrics, listings, updates: the numbers of metrics requested, of calls of ListMetrics and of updates.
        """
        polling_cost = metrics * self.metric + listings * self.listing
        if not updates:
            return polling_cost
        return None if self.streamed_update is None else polling_cost + updates * self.streamed_update


PriceTable = Mapping[str, Prices]  # by partition; the prices of a partition that it lacks are unknown

# Prices vary by region. The prices of us-east-1 stand for all commercial regions; the price of Firehose is
# its price of Direct PUT for the first 500 TB of a month. Both regions of China have the same prices. The
# prices of GovCloud and of the European sovereign cloud were not found.
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
    """The prices that accounts pay: each account pays the prices of its partition.

    table: the prices by partition. partitions: the partition by account; an account that it lacks is
    commercial.
    """

    table: PriceTable = field(default_factory=lambda: PRICES)
    partitions: Mapping[str, str] = field(default_factory=dict)

    def of(self, account: str) -> Prices | None:
        """Return the prices of an account; None if they are not known."""
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

    A metric that several services read is charged to the first of these services.
    """
    owners: dict[tuple[str, str], str] = {}
    for collector in collectors:
        for metric in collector.metrics:
            owners.setdefault((metric.namespace, metric.name), collector.service)
    return owners
