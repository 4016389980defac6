"""Builds fleets by hand, and the scan reports of these fleets."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collectors.base import Unobservable
from monitor.fleet.fleet import Fleet
from monitor.fleet.history import SeriesHistory
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.rows import rows_of
from monitor.fleet.series_settings import SeriesSettings
from monitor.report.failed_reads import FailedReads
from monitor.report.scan import ScanReport
from rules.limits import Limit, LimitSource
from rules.signals import Band, LimitKind
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key
from tests.registries import REGISTRY, STREAM_WRITE_BYTES, signal_of


def stream(name: str, region: str = REGION, signal: str = "stream_write_bytes") -> Key:
    """Return the key of a series of a Kinesis stream."""
    return key(name, f"kinesis.{signal}")._replace(region=region)


def add_used_series(
    fleet: Fleet, series_key: Key, *runs: tuple[int, float], limit: float, **more: Any
) -> None:
    """Add a series with a limit, and write its samples.

    runs: periods of constant utilization, each as minutes and utilization; the last one ends at NOW.
    more: `source` of the limit, `band`, `home_region`, `throttled_counts` (the throttled demand of the last
    minutes), and arguments of `add`.
    """
    source = more.pop("source", LimitSource.API)
    throttled_counts, home_region = more.pop("throttled_counts", ()), more.pop("home_region", "")
    series_settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES,
        limit=Limit(limit, source, NOW * 60),
        band=more.pop("band", None) or _band(series_key),
        paid=signal_of(series_key).kind is LimitKind.PROVISIONED,
        home_region=home_region,
    )
    series = add(fleet, series_key, series_settings, **more)
    points = [limit * utilization * 60 for length, utilization in runs for _ in range(length)]
    _write(fleet, fleet.usages.get(series.slot), points)
    _write(fleet, fleet.throttled.get(series.slot), [float(count) for count in throttled_counts])


def _band(series_key: Key) -> Band:
    return signal_of(series_key).band or Band()


def _write(fleet: Fleet, formula: Any, points: Sequence[float]) -> None:
    """Write values of the minutes up to NOW to a formula's first metric; mark all its metrics as read."""
    minutes = np.arange(NOW - len(points) + 1, NOW + 1, dtype=np.int32)
    fleet.rings.write(np.full(len(points), formula.rows[0], np.int32), minutes, np.array(points, np.float32))
    fleet.rings.mark_read(np.array(formula.rows, np.int32), NOW)


def add_unobservable_series(fleet: Fleet, series_key: Key, reason: str, enable: str | None = None) -> None:
    """Add a series that is unobservable for this reason. enable: the command that makes it observable."""
    add(
        fleet,
        series_key,
        SeriesSettings(signal=STREAM_WRITE_BYTES, limit=None, band=Band()),
        usage=Unobservable(reason, enable),
        throttled=None,
    )


def scan_report(fleet: Fleet, failures: Sequence[str] = (), **more: Any) -> ScanReport:
    """Judge a fleet, and return its scan report. more: fields of the report to replace."""
    judge(fleet, NOW)
    defaults: dict[str, Any] = {
        "rows": rows_of(fleet),
        "failures": FailedReads([], failures),
        "history_of": lambda series_key: SeriesHistory.of(fleet, fleet.series[series_key], NOW),
        "finished_at": NOW * 60.0,
        "cells": [(ACCOUNT, REGION, "production"), (ACCOUNT, "us-east-1", "production")],
        "metrics_requested": 178,
        "cost_dollars": 0.00178,
    }
    return replace(ScanReport(registry=REGISTRY, **defaults), **more)
