"""Fleets with a past: series with a recorded fortnight of usage."""

from typing import Any, TypedDict, Unpack

import numpy as np

from collectors.base import Metric, Resource, Unobservable, Usage, per_second
from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.forecast import BINS
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, set_judgement
from tests.monitor.fleet_server import Server
from tests.registries import signal_of
from tests.resources import resource

OTHER_REGION = "us-east-1"


class SeriesOptions(TypedDict, total=False):
    """The options of a series.

    signal: the id of its signal. usage: read from a metric of its own by default. counts_served: served
    demand is counted in the unit of throttled demand. throttled_metric: its count of throttled demand, a
    metric of its own by default.
    """

    signal: str
    region: str
    zone: Zone
    saturation: float
    band: Band
    usage: Usage | Unobservable
    counts_served: bool
    throttled_metric: Metric


def add_series(
    server: Server,
    name: str | Resource,
    amount: float | None = None,
    limit: float | None = 100.0,
    **options: Unpack[SeriesOptions],
) -> Series:
    """Add a series that was judged with this amount of usage; None: its usage is unknown."""
    service, _, signal_name = options.get("signal", "kinesis.stream_write_bytes").partition(".")
    subject = name if isinstance(name, Resource) else resource(name)
    key = Key(ACCOUNT, options.get("region", REGION), service, signal_name, subject)
    limit_in_force = None if limit is None else Limit(limit, LimitSource.API, 0.0)
    settings = SeriesSettings(signal=signal_of(key), limit=limit_in_force, band=options.get("band", Band()))
    usage_metric, throttled_metric = (
        Metric("AWS/Test", metric_name, "Sum").of(Name=key.id) for metric_name in ("Used", "Throttled")
    )
    usage = options.get("usage", per_second(usage_metric))
    throttled = per_second(options.get("throttled_metric", throttled_metric))
    served = per_second(usage_metric) if options.get("counts_served") else None
    series = add(server.fleet, key, settings, usage=usage, throttled=throttled, served=served)
    usage_or_nan = np.nan if amount is None else amount
    set_judgement(
        server.fleet,
        series,
        options.get("zone", Zone.WITHIN),
        usage_or_nan,
        options.get("saturation", float("nan")),
    )
    return series


async def store_history(server: Server, *past: tuple[Series, Any], bins: int = BINS) -> None:
    """Record the usage of the last bins (quarters of an hour).

    past: the series, and its usage as one number for all bins or one for each, the newest last.
    """
    recorder = server.forecaster.recorder
    await recorder.record(NOW)
    for series, usage in past:
        block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
        values = np.broadcast_to(np.asarray(usage, np.float32), (bins,))[:, None]
        block.put(np.array([column]), block.last_bin - bins + 1, values)
