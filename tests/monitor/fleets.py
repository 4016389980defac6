"""Fleets by hand: series whose judgement is written down instead of made."""

from typing import Any

import numpy as np

from collectors.base import Metric, Observed, per_second
from monitor.exposition import Exposition
from monitor.fleet import Fleet, Key, Ruling, Series
from rules.band import Zone
from rules.limits import Band, Limit, Source

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = 30_000_000  # minutes
RULING = Ruling(limit=Limit(1000.0, Source.API, NOW * 60), band=Band())

traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def key(resource: str, signal: str = "kinesis.stream_write_bytes", account: str = ACCOUNT) -> Key:
    service, name = signal.split(".")
    return Key(account, REGION, service, name, resource)


def add(fleet: Fleet, named: Key, ruling: Ruling = RULING, **seen: Any) -> Series:
    """Register a series that reads a metric of its own and its refusals, but for what was `seen`."""
    usual = {
        "usage": per_second(traffic.of(StreamName=named.id)),
        "refused": per_second(refused.of(StreamName=named.id)),
    }
    observed = Observed(signal=named.signal, resource=named.resource, **(usual | seen))
    return fleet.put(named, observed, ruling, NOW)


def judged(
    fleet: Fleet, series: Series, zone: Zone, usage: float = np.nan, saturation: float = np.nan
) -> None:
    """Write down how a series was judged, by a sample of the minute NOW."""
    place = series.place
    fleet.zone[place], fleet.usage[place], fleet.saturation[place] = zone, usage, saturation
    fleet.utilization[place] = usage / fleet.limit[place]
    fleet.minute[place] = NOW


def text(exposition: Exposition, tail: bytes = b"") -> str:
    """What was rendered."""
    return b"".join(exposition.body.plain(tail)[1]).decode()
