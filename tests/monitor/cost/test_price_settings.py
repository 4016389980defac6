"""The configured prices by partition."""

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.config import Config
from monitor.cost.prices import PRICES
from monitor.schema.problems import problem_lines, problems_from_pydantic

ALL_PRICES = {
    "per_1000_metrics": 0.02,
    "per_1000_listings": 0.01,
    "per_1000_updates": 0.004,
    "per_firehose_gigabyte": 0.03,
}


def test_a_configured_price_replaces_only_the_list_price_of_its_partition() -> None:
    table = Config.model_validate({"prices": {"aws": {"per_1000_metrics": 0.008}}}).price_table
    assert table["aws"].metric == pytest.approx(0.008 / 1000)
    assert table["aws"].listing == PRICES["aws"].listing
    assert table["aws"].source == ""
    assert table["aws-cn"] == PRICES["aws-cn"]
    assert Config().price_table == PRICES


def test_a_partition_without_list_prices_takes_all_prices_from_the_configuration() -> None:
    table = Config.model_validate({"prices": {"aws-us-gov": ALL_PRICES}}).price_table
    assert table["aws-us-gov"].amount(metrics=1000, listings=1000) == pytest.approx(0.03)
    assert table["aws-us-gov"].is_in_dollars
    euros = {"aws-eusc": {**ALL_PRICES, "currency": "EUR"}}
    eusc = Config.model_validate({"prices": euros}).price_table["aws-eusc"]
    assert (eusc.currency, eusc.is_in_dollars) == ("EUR", False)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({"aws-us-gov": {"per_1000_metrics": 0.02}}, "prices: expected all prices, as no list prices in USD"),
        ({"aws-cn": {"currency": "USD"}}, "prices: expected all prices, as no list prices in USD are known"),
        (
            {"aws-us": ALL_PRICES},
            "prices.aws-us: expected a partition of AWS such as aws-us-gov, found 'aws-us'",
        ),
        ({"aws": {"currency": "dollar"}}, "prices.aws.currency: "),
        ({"per_1000_metrics": 0.008}, "prices.per_1000_metrics: "),
    ],
)
def test_invalid_prices_are_reported_with_their_key(prices: Any, expected: str) -> None:
    with pytest.raises(ValidationError) as error:
        Config.model_validate({"prices": prices})
    lines = problem_lines("", problems_from_pydantic(error.value, Config))
    assert any(line.startswith(expected) for line in lines), lines
