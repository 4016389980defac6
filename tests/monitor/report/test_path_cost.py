"""Metrics that are read for request paths alone are counted once, for the account that pays for them."""

from pathlib import Path

import pytest

from monitor.config.config import Config
from monitor.cost.prices import LIST_PRICES_OF_ACCOUNTS
from monitor.report.path_cost import path_cost
from monitor.schema.types import ConfigContext
from tests.monitor.topology.path_fleet import ACCOUNT_NAMES
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout


async def test_a_metric_of_two_paths_is_counted_once_and_requested_every_five_minutes(tmp_path: Path) -> None:
    # The same path again, with another name.
    second_path = CHECKOUT.partition("paths:")[2].replace("checkout\n", "x\n")
    (tmp_path / "paths.yaml").write_text(CHECKOUT + second_path)
    config = Config.model_validate({"path_files": ["paths.yaml"]}, context=ConfigContext(folder=tmp_path))
    assert len(config.request_paths) == 2
    cost = await path_cost(checkout().fleet, config, LIST_PRICES_OF_ACCOUNTS, ACCOUNT_NAMES)
    # The metric Count of a REST API and of an HTTP API; Invocations and Duration of the function.
    assert cost.polled_metrics == 4
    assert cost.monthly_dollars == pytest.approx(4 * 0.0876, rel=0.05)


async def test_without_paths_the_cost_is_zero() -> None:
    cost = await path_cost(checkout().fleet, Config(), LIST_PRICES_OF_ACCOUNTS, ACCOUNT_NAMES)
    assert (cost.polled_metrics, cost.monthly_dollars) == (0, 0)
