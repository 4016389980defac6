"""Sizes: the items in which a provisioned limit is bought, the amounts that can be bought, and the price."""

from collections import Counter
from collections.abc import Iterable, Mapping, Set
from datetime import date
from math import ceil, inf
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from rules.field_types import NonNegativeNumber, PositiveNumber
from rules.model_file import error_at
from rules.plurals import agreeing, plural

HOURS_PER_MONTH = 365.25 * 24 / 12  # of an average month
# A pricing page of AWS, or a file of a certain commit in a repository of AWS's own organization on GitHub.
PRICE_SOURCE = (
    r"^https://(aws\.amazon\.com/[a-z/-]+/pricing/([a-z-]+/)?"
    r"|github\.com/awslabs/[a-z-]+/blob/[0-9a-f]{40}/[\w./-]+)$"
)
ROUNDING = 1e-6  # relative excess over a whole number of steps that needs no further step


class _StrictModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Price(_StrictModel):
    """The list price of one item in US dollars, without free tiers and discounts.

    hourly: the price of an hour, by region; unknown in other regions.
    monthly: the price of a month, by region, where AWS publishes that instead.
    included: the number of items that cost nothing.
    up_to: the highest number of items for which the price is known; None without a maximum.
    source: the URL of AWS's page, or of a file that AWS publishes.
    read_on: the day on which the prices were as in the source.
    """

    hourly: Mapping[str, PositiveNumber] = {}
    monthly: Mapping[str, PositiveNumber] = {}
    included: NonNegativeNumber = 0.0
    up_to: PositiveNumber | None = None
    source: Annotated[str, Field(pattern=PRICE_SOURCE)]
    read_on: date

    @model_validator(mode="after")
    def _is_hourly_or_monthly(self) -> "Price":
        if bool(self.hourly) == bool(self.monthly):
            raise ValueError("expected either hourly or monthly")
        return self

    @property
    def regions(self) -> Set[str]:
        """The regions for which the price is known."""
        return self.hourly.keys() | self.monthly.keys()

    def monthly_dollars(self, items: float, region: str) -> float | None:
        """Return what so many items cost a month; None where that is unknown."""
        hourly = self.hourly.get(region)
        price = self.monthly.get(region) if hourly is None else hourly * HOURS_PER_MONTH
        if price is None or (self.up_to is not None and items > self.up_to):
            return None
        return max(items - self.included, 0) * price

    def text(self, item: str, region: str) -> str:
        """Return the price in words; empty where it is unknown."""
        hourly, monthly = self.hourly.get(region), self.monthly.get(region)
        if hourly is None and monthly is None:
            return ""
        price = f"${hourly:g} an hour" if hourly is not None else f"${monthly:g} a month"
        free = f" beyond the first {self.included:,g}" if self.included else ""
        return f"{price} per {item}{free} in {region}"


def _as_list(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"expected the name of one of the service's prices, found {value}")
    return [value] if isinstance(value, Mapping) else value


PriceList = Annotated[tuple[Price, ...], BeforeValidator(_as_list)]


class Size(_StrictModel):
    """One way in which the limit of a signal is bought.

    item: the thing that is bought, such as a shard; signals of a service with the same item and resource are
        limits of the same purchase.
    items: the plural of the item; empty if it only adds an s.
    holds: the limit that one item provides, in the signal's unit.
    smallest: the fewest items that can be bought.
    step: the number by which items can be added.
    choices: the only numbers of items that can be bought; empty if AWS names none.
    for_parts: True if the items bought for a resource (the first id of the path) are shared by its parts.
    prices (in YAML: `price`): the prices of an item, each for regions of its own.
    is_maximum: True for a maximum that costs nothing itself: AWS bills what is used below it.
    """

    item: Annotated[str, Field(min_length=1)]
    items: str = ""
    holds: PositiveNumber = 1.0
    smallest: NonNegativeNumber = 1.0
    step: PositiveNumber = 1.0
    choices: tuple[PositiveNumber, ...] = ()
    for_parts: bool = False
    prices: PriceList = Field(default=(), validation_alias="price", serialization_alias="price")
    is_maximum: bool = False

    @model_validator(mode="after")
    def _maximum_has_no_price(self) -> "Size":
        if self.is_maximum and self.prices:
            raise error_at(("price",), "expected no price of a maximum, which costs nothing itself")
        return self

    @model_validator(mode="after")
    def _prices_have_regions_of_their_own(self) -> "Size":
        regions = Counter(region for price in self.prices for region in price.regions)
        if repeated := sorted(region for region, number in regions.items() if number > 1):
            raise error_at(("price",), f"expected one price in each region, found more in {repeated[0]}")
        return self

    def price_in(self, region: str) -> Price | None:
        """Return the price of an item in a region; None if it is unknown."""
        return next((price for price in self.prices if region in price.regions), None)

    def fewest_items(self, items: float, minimum: float = 0.0, maximum: float | None = None) -> float:
        """Return the fewest items that can be bought: at least `items` and `minimum`, at most `maximum`.

        Without a choice up to the maximum, the choices do not hold for this resource.
        """
        least = max(items, minimum, self.smallest)
        largest = inf if maximum is None else maximum
        if self.choices:
            possible = [choice for choice in self.choices if choice <= largest]
            return next_choice(possible, least) if possible else min(least, largest)
        steps = ceil(least / self.step * (1 - ROUNDING))
        return min(steps * self.step, largest)

    def count(self, number: float) -> str:
        """Return a number of items in words: `3 shards`."""
        return f"{number:,g} {agreeing(number, self.item, self.items or plural(self.item))}"


def next_choice(choices: Iterable[float], wanted: float) -> float:
    """Return the least choice that is at least `wanted`; the largest choice if all are less."""
    ordered = sorted(choices)
    return next((choice for choice in ordered if choice >= wanted * (1 - ROUNDING)), ordered[-1])
