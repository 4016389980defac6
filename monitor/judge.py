"""The judgement: from what the metrics said to where each series stands.

It is a function of the samples and the minute, never of when it ran before, and looks at all series at once.
"""

import numpy as np

from monitor.columns import Floats, Ints
from monitor.fleet import Fleet
from monitor.formulas import NAN, Formula, Formulas, result
from monitor.rings import NEVER, RECENT, WINDOW
from rules.band import Zone, zones

CONFIRMED_FOR = 60  # minutes that a series counts without an inventory having seen it


def judge(fleet: Fleet, now: int) -> None:
    """Judge every series at the minute `now`, and write usage, saturation, zone and so on to its columns."""
    size = fleet.size
    usage, used_at = _tell(fleet, fleet.usages)
    at_most, _ = _tell(fleet, fleet.bounds)
    saturation, refused_at = _refused(fleet)
    saturation[refused_at <= used_at - RECENT] = NAN  # an old refusal says nothing of a newer sample
    minute = np.where(saturation > 0, np.maximum(used_at, refused_at), used_at)
    oldest = np.maximum(now - fleet.stale_after[:size], NEVER + WINDOW)
    unconfirmed = fleet.confirmed[:size] < now - CONFIRMED_FOR
    outdated = (used_at < oldest) | unconfirmed
    usage[outdated] = at_most[outdated] = NAN
    saturation[(minute < oldest) | unconfirmed] = NAN
    utilization = usage / fleet.limit[:size]
    zone = zones(utilization, saturation, fleet.low[:size], fleet.high[:size], fleet.critical[:size])
    zone[~fleet.observable[:size] & ~(saturation > 0)] = Zone.UNOBSERVABLE
    utilization[fleet.bounded[:size]] = NAN
    columns = {
        "usage": usage,
        "at_most": at_most,
        "utilization": utilization,
        "saturation": saturation,
        "minute": minute,
        "zone": zone,
    }
    for name, told in columns.items():
        getattr(fleet, name)[:size] = told


def _tell(fleet: Fleet, formulas: Formulas) -> tuple[Floats, Ints]:
    told, minutes = _unknown(fleet)
    for block in formulas:
        minutes[block.series], told[block.series] = block.evaluate(fleet.rings)
    return told, minutes


def _refused(fleet: Fleet) -> tuple[Floats, Ints]:
    told, minutes = _unknown(fleet)
    for block in fleet.refusals:
        minutes[block.series], told[block.series] = block.worst_recent(fleet.rings)
    return told, minutes


def _unknown(fleet: Fleet) -> tuple[Floats, Ints]:
    return np.full(fleet.size, NAN), np.full(fleet.size, NEVER, np.int32)


def history(fleet: Fleet, formula: Formula) -> tuple[Ints, Floats]:
    """What a formula gives in each minute of the window up to the last one read; NaN where it is missing."""
    rows = np.array(formula.rows, np.int32)[:, None].repeat(WINDOW, axis=1)
    weights = np.array(formula.weights, np.float32)[:, None]
    minutes = fleet.rings.read[rows].max() + np.arange(1 - WINDOW, 1, dtype=np.int32)
    return minutes, result(fleet.rings, formula.op, rows, weights, minutes)


def histories(fleet: Fleet, places: Ints) -> tuple[Ints, Floats]:
    """The usage of many series, [series, minute], in the window up to the newest minute each has."""
    newest = np.maximum(fleet.usages.told(fleet.rings, places), NEVER + WINDOW)
    minutes = newest[:, None] + np.arange(1 - WINDOW, 1, dtype=np.int32)
    found = fleet.usages.at(fleet.rings, np.repeat(places, WINDOW), minutes.ravel())
    return minutes, found.reshape(minutes.shape)
