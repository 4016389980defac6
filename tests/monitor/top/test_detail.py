"""The history and the command that `headroom top` computes from the API equal those of the server's fleet."""

import time
from dataclasses import replace

import numpy as np
import pytest

from monitor.api import presenters
from monitor.api.models import SeriesDetailModel
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory
from monitor.render.commands import increase_command
from monitor.top.detail import SeriesDetail
from rules.band import Zone
from tests.monitor.fleet.fleets import SETTINGS, add, key, set_judgement
from tests.monitor.web.pages import feed
from tests.registries import signal_of


async def detail_of(fleet: Fleet, name: str) -> SeriesDetail:
    """Return the detail that `headroom top` makes of the API's response for the series of this resource."""
    exposition = Exposition(fleet)
    await exposition.publish({})
    series = next(series for key, series in fleet.series.items() if key.resource == name)
    detail = presenters.series_detail(exposition.snapshot, fleet, series)
    return SeriesDetail(SeriesDetailModel.model_validate_json(detail.model_dump_json()), time.time())


async def test_the_detail_has_the_history_age_and_command_of_the_series() -> None:
    fleet = Fleet()
    series = add(fleet, key("clicks"))
    feed(fleet, series, [500.0] * 100 + [float("nan")] * 5 + [800.0] * 30, [0.0] * 133 + [4.0] * 2)
    set_judgement(fleet, series, Zone.SATURATED, 800.0, 4.0)
    detail = await detail_of(fleet, "clicks")
    series_history = SeriesHistory.of(fleet, series, detail.history.end)
    for name in ("usage", "upper_bound", "throttled", "limit"):
        np.testing.assert_allclose(getattr(detail.history, name), getattr(series_history, name), rtol=1e-6)
    minute = series_history.since(Zone.SATURATED)
    assert minute is not None and detail.since == minute * 60
    assert detail.command == increase_command(signal_of(series.key), series, 0.8)


async def test_a_detail_without_samples_has_no_age() -> None:
    fleet = Fleet()
    add(fleet, key("clicks"))
    detail = await detail_of(fleet, "clicks")
    assert not np.isfinite(detail.history.usage).any()
    assert detail.since is None


@pytest.mark.parametrize("minutes_ahead", [-10, 0, 10])
async def test_no_sample_is_lost_when_the_clocks_differ(minutes_ahead: int) -> None:
    fleet = Fleet()
    feed(fleet, add(fleet, key("clicks")), [500.0] * 30)
    detail = await detail_of(fleet, "clicks")
    shifted = SeriesDetail(detail.model, detail.fetched_at + minutes_ahead * 60)
    assert np.isfinite(shifted.history.usage).sum() == 30


async def test_the_command_for_a_global_service_names_its_home_region() -> None:
    fleet = Fleet()
    quota = key("", "lambda.account_concurrency")._replace(region="global")
    series = add(fleet, quota, replace(SETTINGS, home_region="us-east-1"))
    set_judgement(fleet, series, Zone.SATURATED, 800.0, 4.0)
    detail = await detail_of(fleet, "")
    assert "--region us-east-1" in (detail.command or "")
