"""The past of linked accounts is read with their ids, for forecasts and the look-back, and kept apart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from monitor.forecast.forecaster import Forecaster
from monitor.forecast.history import UsageHistory
from monitor.polling.history_reader import HistoryReader
from monitor.polling.metric_owners import MetricOwners
from monitor.polling.metric_source import MetricSource
from monitor.polling.watcher import Watcher
from tests.aws_environment import CREDENTIALS, set_aws_environment
from tests.monitor.polling.linked_aws import FIRST, MONITORING, REGION, SECOND, LinkedAws, file_system
from tests.registries import REGISTRY

CELLS = (FIRST, REGION), (SECOND, REGION)
VALUES = {FIRST: 10.0, SECOND: 700.0, MONITORING: 99_999.0}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials, and nothing else of the user's."""
    set_aws_environment(monkeypatch, CREDENTIALS)


class PastAws(LinkedAws):
    """An AWS that has a point in each period of the time that is requested."""

    def _get_metric_data(self, **params: Any) -> Any:
        queries = params["MetricDataQueries"]
        self.queries.append(queries)
        start, end = (int(params[name].timestamp()) for name in ("StartTime", "EndTime"))
        results = []
        for query in queries:
            period = query["MetricStat"]["Period"]
            times = range(-(-start // period) * period, end - period + 1, period)
            value = self.values[query.get("AccountId", MONITORING)]
            results.append(
                {
                    "Id": query["Id"],
                    "StatusCode": "Complete",
                    "Timestamps": [datetime.fromtimestamp(one, UTC) for one in times],
                    "Values": [value * period / 60] * len(times),
                }
            )
        return {"MetricDataResults": results}


@asynccontextmanager
async def two_accounts() -> AsyncIterator[tuple[PastAws, Watcher]]:
    """Two linked accounts whose file systems have the same name, read once."""
    listed = {account: [file_system("fs-1")] for account in (FIRST, SECOND)}
    aws = PastAws({FIRST: "shop", SECOND: "bank"}, listed, values=VALUES)
    watch = aws.watcher()
    try:
        await watch.run_once(lambda done, steps: None)
        aws.queries.clear()
        yield aws, watch
    finally:
        await watch.close()


async def test_the_first_read_of_a_fortnight_asks_each_account_for_its_own() -> None:
    async with two_accounts() as (aws, watch):
        clock = watch.cells[CELLS[0]].cell.clock
        forecaster = Forecaster(
            watch.fleet,
            UsageHistory(),
            lambda: clock.minute() * 60.0,
            lambda: {key: watched.reader for key, watched in watch.cells.items()},
        )
        slots = np.arange(watch.fleet.size, dtype=np.int32)
        watch.fleet.limit[slots] = 1000.0
        await forecaster.read_and_forecast(slots)
        asked = [(one["AccountId"], one["MetricStat"]["Period"]) for some in aws.queries for one in some]
        assert sorted(asked) == [(FIRST, 300), (SECOND, 300)]
        for key, series in watch.fleet.series.items():
            if key.cell in CELLS and series.unobservable is None:
                block, column = forecaster.recorder.history.place(int(forecaster.recorder.rows[series.slot]))
                usage, _ = block.usage_of(np.array([column], np.intp))
                known = usage[np.isfinite(usage)]
                assert known.size > 13 * 96
                assert known == pytest.approx(VALUES[key.account], rel=1e-2)


async def test_the_look_back_reads_the_past_of_each_account_once_and_keeps_them_apart() -> None:
    async with two_accounts() as (aws, watch):
        minutes = range(30_000_000, 30_000_000 + 14 * 24 * 60)
        points = dict[int, set[float]]()
        for key in CELLS:
            metrics = watch.fleet.metrics(key)
            reader = HistoryReader(
                MetricSource(watch.cells[key].cell, MetricOwners(REGISTRY.collectors)),
                watch.fleet.rings,
                lambda rows, some: points.update({int(row): {*some[2].tolist()} for row in rows}),
                lambda count: None,
            )
            assert await reader.read(metrics, minutes) == []
            assert {value for row in metrics.values() for value in points[row]} == {VALUES[key[0]]}
        assert sorted(one["AccountId"] for some in aws.queries for one in some) == [FIRST, SECOND]
