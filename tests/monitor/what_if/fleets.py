"""Fleets with a past: series whose usage of a fortnight is written down."""

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
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, judged
from tests.monitor.served import Server
from tests.registries import signal_of
from tests.resources import resource

OTHER = "us-east-1"


class Seen(TypedDict, total=False):
    """The way in which a series is seen.

    signal: its id. usage: by default, it reads a metric of its own. counts_served: what is throttled is
    counted together with what is served.
    """

    signal: str
    region: str
    zone: Zone
    saturation: float
    band: Band
    usage: Usage | Unobservable
    counts_served: bool


def put(
    server: Server,
    name: str | Resource,
    amount: float | None = None,
    limit: float | None = 100.0,
    **seen: Unpack[Seen],
) -> Series:
    """Add a series that was judged with this amount of usage; None: nothing is known of it."""
    service, _, short = seen.get("signal", "kinesis.stream_write_bytes").partition(".")
    subject = name if isinstance(name, Resource) else resource(name)
    key = Key(ACCOUNT, seen.get("region", REGION), service, short, subject)
    known = None if limit is None else Limit(limit, LimitSource.API, 0.0)
    settings = SeriesSettings(signal=signal_of(key), limit=known, band=seen.get("band", Band()))
    used, refused = (Metric("AWS/Test", one, "Sum").of(Name=key.id) for one in ("Used", "Refused"))
    usage, throttled = seen.get("usage", per_second(used)), per_second(refused)
    served = per_second(used) if seen.get("counts_served") else None
    series = add(server.fleet, key, settings, usage=usage, throttled=throttled, served=served)
    number = np.nan if amount is None else amount
    judged(server.fleet, series, seen.get("zone", Zone.WITHIN), number, seen.get("saturation", float("nan")))
    return series


async def remember(server: Server, *past: tuple[Series, Any], bins: int = BINS) -> None:
    """Write down the usage of the last bins: a number, or one for each bin, the newest last."""
    recorder = server.forecaster.recorder
    await recorder.record(NOW)
    for series, usage in past:
        block, column = recorder.history.place(int(recorder.rows[series.slot]))
        values = np.broadcast_to(np.asarray(usage, np.float32), (bins,))[:, None]
        block.put(np.array([column]), block.through - bins + 1, values)
