"""The metrics that are read for request paths alone are counted once, by who pays for them."""

from pathlib import Path

import pytest

from monitor.config.config import Config
from monitor.cost.prices import LIST_PRICES_OF_ACCOUNTS
from monitor.report.path_cost import path_cost
from monitor.schema.types import ConfigContext
from tests.monitor.topology.placed import NAMES
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout


async def test_each_metric_is_counted_once_at_one_request_in_five_minutes(tmp_path: Path) -> None:
    (tmp_path / "paths.yaml").write_text(
        CHECKOUT + CHECKOUT.partition("paths:")[2].replace("checkout\n", "x\n")
    )
    config = Config.model_validate({"path_files": ["paths.yaml"]}, context=ConfigContext(folder=tmp_path))
    assert len(config.request_paths) == 2
    cost = await path_cost(checkout().fleet, config, LIST_PRICES_OF_ACCOUNTS, NAMES)
    assert (
        cost.polled_metrics == 4
    )  # two counts, of a REST and of an HTTP API; invocations and their duration
    assert cost.monthly_dollars == pytest.approx(4 * 0.0876, rel=0.05)


async def test_without_paths_nothing_is_counted() -> None:
    cost = await path_cost(checkout().fleet, Config(), LIST_PRICES_OF_ACCOUNTS, NAMES)
    assert (cost.polled_metrics, cost.monthly_dollars) == (0, 0)
