"""The configured prices of monitoring, by partition."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.cost.prices import DOLLARS, PRICES, Prices, PriceTable
from monitor.lib.partitions import partitions
from monitor.schema.problems import problem, unexpected
from monitor.schema.types import ConfigModel, Number


class PricesConfig(ConfigModel):
    """The prices of CloudWatch and Firehose in a partition; by default AWS's list prices."""

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = Field(
        default=None,
        description="Currency, as in ISO 4217. Only amounts in US dollars are added up across accounts and "
        "count for a budget. Default: the currency of the list prices, else USD.",
    )
    per_1000_metrics: Number | None = Field(
        default=None, gt=0, description="Price of 1000 metrics requested with GetMetricData."
    )
    per_1000_listings: Number | None = Field(
        default=None, ge=0, description="Price of 1000 calls of ListMetrics."
    )
    per_1000_updates: Number | None = Field(
        default=None, ge=0, description="Price of 1000 updates of a metric stream."
    )
    per_firehose_gigabyte: Number | None = Field(
        default=None, ge=0, description="Price of a gigabyte of a metric stream that Firehose takes in."
    )

    def completed_by(self, list_prices: Prices | None) -> Prices:
        """Return the configured prices, completed by the list prices.

        Raises PydanticCustomError if a price is neither configured nor listed.
        """
        currency = self.currency or (list_prices.currency if list_prices else DOLLARS)
        prices_in_currency = list_prices if list_prices and list_prices.currency == currency else None
        metric = _unit_price(self.per_1000_metrics, prices_in_currency.metric if prices_in_currency else None)
        listing = _unit_price(
            self.per_1000_listings, prices_in_currency.listing if prices_in_currency else None
        )
        update = _unit_price(self.per_1000_updates, prices_in_currency.update if prices_in_currency else None)
        gigabyte = self.per_firehose_gigabyte
        if gigabyte is None and prices_in_currency:
            gigabyte = prices_in_currency.firehose_gigabyte
        has_stream_prices = update is not None and gigabyte is not None
        # A partition with list prices may lack list prices of streams: these then stay unknown.
        if metric is None or listing is None or not (prices_in_currency or has_stream_prices):
            raise problem(f"expected all prices, as no list prices in {currency} are known")
        return Prices(
            currency=currency, metric=metric, listing=listing, update=update, firehose_gigabyte=gigabyte
        )


def _unit_price(per_1000: float | None, list_price: float | None) -> float | None:
    return list_price if per_1000 is None else per_1000 / 1000


def _known_partition(value: str) -> str:
    if value not in partitions():
        raise unexpected("a partition of AWS such as aws-us-gov", value, sorted(partitions()))
    return value


def _require_complete(prices: Mapping[str, PricesConfig]) -> Mapping[str, PricesConfig]:
    price_table(prices)
    return prices


def price_table(configured: Mapping[str, PricesConfig]) -> PriceTable:
    """Return the prices by partition: the configured prices, else AWS's list prices."""
    return {**PRICES, **{name: prices.completed_by(PRICES.get(name)) for name, prices in configured.items()}}


ConfiguredPrices = Annotated[
    Mapping[Annotated[str, AfterValidator(_known_partition)], PricesConfig], AfterValidator(_require_complete)
]
