"""Looks at fleets by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collectors.base import Unobservable
from monitor.check import Look
from monitor.course import Course
from monitor.fleet import Fleet, Key, Ruling
from monitor.judge import judge
from monitor.rows import rows_of, signal_of
from rules.limits import Band, Limit, Source
from tests.monitor.fleets import ACCOUNT, NOW, REGION, add, key


def stream(name: str, region: str = REGION, signal: str = "stream_write_bytes") -> Key:
    return key(name, f"kinesis.{signal}")._replace(region=region)


def use(fleet: Fleet, named: Key, *runs: tuple[int, float], limit: float, **more: Any) -> None:
    """A series with a limit, that ends at NOW with so many minutes of each utilization."""
    source = more.pop("source", Source.API)
    refused = more.pop("refusing", ())
    ruling = Ruling(limit=Limit(limit, source, NOW * 60), band=more.pop("band", None) or _band(named))
    series = add(fleet, named, ruling, **more)
    told = [limit * value * 60 for length, value in runs for _ in range(length)]
    _write(fleet, fleet.usages.get(series.place), told)
    _write(fleet, fleet.refusals.get(series.place), [float(count) for count in refused])


def _band(named: Key) -> Band:
    return signal_of(named).band or Band()


def _write(fleet: Fleet, formula: Any, told: Sequence[float]) -> None:
    minutes = np.arange(NOW - len(told) + 1, NOW + 1, dtype=np.int32)
    fleet.rings.write(np.full(len(told), formula.rows[0], np.int32), minutes, np.array(told, np.float32))
    fleet.rings.mark_read(np.array(formula.rows, np.int32), NOW)


def hide(fleet: Fleet, named: Key, reason: str, enable: str | None = None) -> None:
    """A series that cannot be seen."""
    add(fleet, named, Ruling(limit=None, band=Band()), usage=Unobservable(reason, enable), refused=None)


def look(fleet: Fleet, failures: Sequence[str] = (), **more: Any) -> Look:
    judge(fleet, NOW)
    known: dict[str, Any] = {
        "rows": rows_of(fleet),
        "failures": failures,
        "course": lambda one: Course.of(fleet, fleet.series[one], NOW),
        "at": NOW * 60.0,
        "cells": [(ACCOUNT, REGION, "production"), (ACCOUNT, "us-east-1", "production")],
        "metrics": 178,
        "dollars": 0.00178,
    }
    return replace(Look(**known), **more)
