"""Plans idle metrics: a metric without points for hours is read ever more rarely until it has points again.

ListMetrics tells which metrics had points in the last three hours (`RecentlyActive=PT3H`). A metric is read
more rarely only while such lists are made. A metric that a list names or that gets a point, also by a stream,
is not idle any more.

A stream that delivers no point proves nothing, as it may be filtered to other metrics, or have ended. A
metric counts as streamed only while its own points come, so an idle metric is listed and requested whether or
not there is a stream.
"""

from typing import NamedTuple

import numpy as np

from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, WINDOW
from monitor.fleet.rings import Rings
from monitor.planning.intervals import MAX_INTERVAL
from rules.arrays import Flags, Ints

IDLE_AFTER = WINDOW  # a metric is idle if it had no point in so many minutes before its last request
WATCHED_INTERVALS = 2  # a metric counts as watched for so many intervals after a list: one list may fail
# Minutes until a metric that gets its first point is listed: "After you create a metric, allow up to 15
# minutes for the metric to appear." AWS says nothing of metrics that get points again.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
LIST_DELAY = 15


def idle_cadences(cadences: Ints, idle_for: Ints, longest: int) -> Ints:
    """Return the minutes between two requests of idle metrics: doubled after each request without a point.

    The minutes become at most MAX_INTERVAL, or stay as they are if they were longer. cadences: the minutes
    between two requests if these metrics were not idle. idle_for: minutes since they became idle. longest:
    the longest interval of metrics that are not idle, in minutes.
    """
    doublings = np.log2(1 + np.maximum(idle_for, 0) / max(longest, 1)).astype(np.int32)
    doublings = np.minimum(doublings, 6)  # 2 ** 6 minutes are more than MAX_INTERVAL
    longer = np.minimum(max(longest, 1) * 2**doublings, MAX_INTERVAL)
    planned: Ints = np.maximum(cadences, longer).astype(np.int32)
    return planned


def max_idle_delay(longest: int) -> int:
    """Return how many minutes after its publication an idle metric's first point is requested, at most.

    The result holds if the point is listed within LIST_DELAY minutes; MAX_INTERVAL holds in any case.
    """
    return min(longest + LIST_DELAY, MAX_INTERVAL)


def requests_saved(cadences: Ints, interval: int) -> float:
    """Return how many requests idling saves in `interval` minutes, for metrics that are idle for long.

    cadences: minutes between two requests of each metric if it were not idle.
    """
    rarest = np.maximum(cadences, MAX_INTERVAL)
    return float((interval / np.maximum(cadences, 1) - interval / rarest).sum())


class ActiveMetrics(NamedTuple):
    """Metrics as they are planned if none is idle: their rows, and the minutes between two requests.

    may_idle: false where a metric must not wait.
    """

    rows: slice
    cadences: Ints
    may_idle: Flags


def plan_idle(rings: Rings, metrics: ActiveMetrics, longest: int, now: int) -> Ints:
    """Return the minutes between two requests, longer for watched idle metrics; store which are idle.

    longest: the longest interval of metrics of usage that are not idle, in minutes.
    """
    rows, cadences, may_idle = metrics
    is_idle = may_idle & _are_silent(rings, rows) & (cadences >= longest) & (cadences < NOT_READ)
    is_idle &= (rings.bound[rows] == NO_BOUND) & ~rings.pruned[rows]
    former_since = rings.idle_since[rows]
    was_idle = (former_since != NEVER) & (former_since <= now)
    since = np.where(was_idle, former_since, now)
    rings.idle_since[rows], rings.cadence_if_active[rows] = np.where(is_idle, since, NEVER), cadences
    is_watched = is_idle & (now - rings.watched_at[rows] <= WATCHED_INTERVALS * max(longest, 1))
    idle_for = np.where(is_idle, now - since, 0)
    planned: Ints = np.where(is_watched, idle_cadences(cadences, idle_for, longest), cadences)
    return planned


def _are_silent(rings: Rings, rows: slice) -> Flags:
    """Return which metrics were requested and had no point in the IDLE_AFTER minutes before the request.

    A point may be published late; a point of a longer period is published after the period's end.
    """
    requested, newest = rings.requested_through[rows], rings.newest_point[rows]
    max_delay = rings.delays(np.arange(rows.start, rows.stop, dtype=np.int32)) + rings.period[rows] - 1
    silent_since = requested - IDLE_AFTER - np.where(newest > NEVER, max_delay, 0)
    are_silent: Flags = (requested > NEVER) & (newest <= np.maximum(silent_since, NEVER))
    return are_silent
