"""Fleets for tests: series with metrics of their own, and judgements that a test sets by hand."""

from dataclasses import replace
from typing import Any

import numpy as np

from collectors.base import Metric, Observed, per_second
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from rules.arrays import Floats
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import STREAM_WRITE_BYTES, signal_of
from tests.resources import resource as resource_of

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = 30_000_000  # minutes
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES, limit=Limit(1000.0, LimitSource.API, NOW * 60), band=Band()
)

traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
throttled_metric = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def key(resource: str, signal: str = "kinesis.stream_write_bytes", account: str = ACCOUNT) -> Key:
    """Return the key of a series. resource: its path, joined by a slash."""
    service, name = signal.split(".")
    return Key(account, REGION, service, name, resource_of(resource))


def add(fleet: Fleet, series_key: Key, series_settings: SeriesSettings = SETTINGS, **fields: Any) -> Series:
    """Register a series with metrics of its own for usage and throttled demand.

    fields: arguments of `Observed`, which may replace this usage and throttled demand.
    """
    defaults = {
        "usage": per_second(traffic.of(StreamName=series_key.id)),
        "throttled": per_second(throttled_metric.of(StreamName=series_key.id)),
    }
    observed = Observed(signal=series_key.signal, resource=series_key.subject, **(defaults | fields))
    is_signal_of_key = series_settings.signal.id == f"{series_key.service}.{series_key.signal}"
    settings = series_settings if is_signal_of_key else replace(series_settings, signal=signal_of(series_key))
    return fleet.put(series_key, observed, settings, NOW)


def set_judgement(
    fleet: Fleet, series: Series, zone: Zone, usage: float = np.nan, saturation: float = np.nan
) -> None:
    """Set the judgement of a series, as if by a sample of the minute NOW."""
    slot = series.slot
    fleet.zone[slot], fleet.usage[slot], fleet.saturation[slot] = zone, usage, saturation
    fleet.utilization[slot] = usage / fleet.limit[slot]
    fleet.minute[slot] = NOW


def set_causes(fleet: Fleet, series: Series, **throttled: float) -> None:
    """Set the throttled demand of each cause of a series that was added with these causes."""
    for cause, entry in fleet.causes.entries_of(series.slot).items():
        fleet.causes.throttled[entry] = throttled[cause]


def series_history(
    usage: Floats, limit: Floats | float = 1.0, throttled: Floats | float = np.nan, end: int = NOW
) -> SeriesHistory:
    """Return the last hours of an observable series with these numbers in its minutes."""
    band, all_false = Band(), np.zeros(WINDOW, np.bool_)
    numbers: dict[str, Any] = {
        "usage": usage,
        "upper_bound": np.nan,
        "throttled": throttled,
        "excess": throttled,
        "limit": limit,
        "low": band.low,
        "high": band.high,
        "near": band.near,
    }
    columns: dict[str, Any] = {name: np.full(WINDOW, number, np.float32) for name, number in numbers.items()}
    return SeriesHistory(
        **columns,
        bounded=all_false,
        unjudged=all_false,
        limit_doubted=all_false,
        observable=~all_false,
        end=end,
    )


def text(exposition: Exposition, tail: bytes = b"") -> str:
    """Return the rendered text, followed by `tail`."""
    return b"".join(exposition.body.plain(tail)[1]).decode()
