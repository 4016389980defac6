"""The configured prices of monitoring."""

from pydantic import Field

from monitor.cost.prices import LIST_PRICES, Prices
from monitor.schema.types import ConfigModel, Number


class PricesConfig(ConfigModel):
    """US dollars for what CloudWatch and Firehose bill. Defaults: the list prices of us-east-1."""

    per_1000_metrics: Number = Field(
        default=1000 * LIST_PRICES.metric, gt=0, description="Metrics requested of GetMetricData."
    )
    per_1000_listings: Number = Field(
        default=1000 * LIST_PRICES.listing,
        ge=0,
        description="Calls of ListMetrics.",
    )
    per_1000_updates: Number = Field(
        default=1000 * LIST_PRICES.update, ge=0, description="Updates of a Metric Stream."
    )
    per_firehose_gigabyte: Number = Field(
        default=LIST_PRICES.firehose_gigabyte, ge=0, description="What Firehose takes in of a Metric Stream."
    )

    @property
    def prices(self) -> Prices:
        """The price of one of each."""
        return Prices(
            metric=self.per_1000_metrics / 1000,
            listing=self.per_1000_listings / 1000,
            update=self.per_1000_updates / 1000,
            firehose_gigabyte=self.per_firehose_gigabyte,
        )
