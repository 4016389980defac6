"""The fleet: every series as columns, fed by metrics, ready to be judged (design, section 5)."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from math import isnan

import numpy as np

from collectors.base import Metric, Observed, Op, Unobservable, Usage
from collectors.dimensions import metrics_of, without_invalid_metrics
from collectors.metric_bounds import NO_BOUNDS, MetricBounds
from monitor.fleet.formula import Formula, Shape
from monitor.fleet.formulas import Formulas, Slots
from monitor.fleet.judged import Judged, judged_at, sample_minutes
from monitor.fleet.key import CellKey, Group, Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.namespaces import NEVER
from monitor.fleet.purchases import Purchase, PurchaseMembers, group_purchases
from monitor.fleet.series_columns import SeriesColumns
from monitor.fleet.series_settings import SeriesSettings
from rules.arrays import Indices, Ints
from rules.limits import PUBLISHED_ONLY, LimitSource

# Sources of limits that AWS returns for this account; the others are defaults for any account, and the
# configuration.
READ_SOURCES = (LimitSource.METRIC, LimitSource.API, LimitSource.APPLIED)

NO_MEMBERS = group_purchases(np.empty(0, np.int32), np.empty(0, np.uint64), 0)
MetricRows = dict[bytes, int]  # metrics and their rows in the rings


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series. Its numbers are in the columns of the fleet, at `slot`.

    names: the names of its resource (see `Resource.names`). If they change, the Series is replaced; its key
    stays equal.
    """

    key: Key
    slot: int
    settings: SeriesSettings
    unobservable: Unobservable | None
    names: tuple[str, ...] = ()

    @property
    def aws_region(self) -> str:
        """The region where AWS is called: for a global service, the home region of the partition."""
        return self.settings.home_region or self.key.region


ONLY_BOUNDED = Unobservable("CloudWatch publishes only bounds of the usage")
NO_LIMIT = Unobservable(
    "no limit is known: AWS returns none and documents none; if there is one, set it in `limits`"
)


def created_minute(observed: Observed) -> int:
    """Return the minute when a resource was created; NEVER if that is unknown."""
    return NEVER if observed.created_at is None else int(observed.created_at // 60)


def why_unobservable(observed: Observed, settings: SeriesSettings) -> Unobservable | None:
    """Return why a series cannot be judged; None if it can."""
    if isinstance(observed.usage, Unobservable):
        return observed.usage
    if observed.is_bounded:
        return observed.bounded_because or ONLY_BOUNDED
    is_published = observed.published_limit is not None
    if settings.limit is None or (settings.limit.value is PUBLISHED_ONLY and not is_published):
        return NO_LIMIT
    return None


class Fleet(SeriesColumns):
    """The series with their columns.

    Written by inventory and polls, read by judge, exposition and API, in one thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.series: dict[Key, Series] = {}
        self.groups: dict[Group, int] = {}
        self.monthly_lists: dict[CellKey, float] = {}  # pages of ListMetrics that are listed in a month
        self.payers: Mapping[CellKey, CellKey] = {}  # for cells whose metrics another account requests
        self.version = 0  # grows when a series is added, dropped or replaced, or its causes change
        self.judgements = 0  # how often all series were judged
        self.dropped: list[Series] = []  # dropped series whose slots `reclaim` has not freed yet
        self._polled_rows: dict[CellKey, MetricRows] = {}
        self._rejection_reasons: dict[
            CellKey, dict[bytes, str]
        ] = {}  # metrics that CloudWatch rejects, and why
        self._purchases, self._purchases_version = NO_MEMBERS, 0  # the `version` when they were grouped
        self._bounds = NO_BOUNDS
        self._returned_usages: MetricRows = {}  # rows of usages that an API returned, by the series' id

    def __len__(self) -> int:
        return len(self.series)

    @property
    def state(self) -> tuple[int, int, int]:
        """A tuple that changes with any series and with each judgement."""
        return self.version, self.size, self.judgements

    def set_stream_gap(self, minutes: int) -> None:
        """Set after how many minutes without a point from a stream a metric is polled again."""
        self.rings.stream_gap = minutes

    def set_bounds(self, bounds: MetricBounds) -> None:
        """Read, along with each metric that is added from now on, the aggregates that bound it."""
        self._bounds = bounds

    def set_payers(self, payers: Mapping[CellKey, CellKey]) -> None:
        """Set the cells that pay for other cells' metrics. payers: by the cell whose metrics they pay for."""
        self.payers = payers

    def metrics(self, cell: CellKey) -> Mapping[bytes, int]:
        """The metrics of a cell that must be polled, as `metric_query` encodes them, with their rows."""
        return self._polled_rows.get(cell, {})

    def payer_of(self, cell: CellKey) -> CellKey:
        """Return the cell that pays for the metrics of `cell`: `cell`, or a cell of a monitoring account."""
        return self.payers.get(cell, cell)

    def put(
        self, key: Key, observed: Observed, settings: SeriesSettings, minute: int, digest: int = 0
    ) -> Series:
        """Add or update a series that an inventory observed at `minute`, and return it.

        The series is unobservable if CloudWatch rejects requests for its metrics. digest: a hash of all that
        the series is made of, which `registered` compares; 0 for none.
        """
        observed = without_invalid_metrics(observed)
        before = self.series.get(key)
        if before and NEVER < self.created[before.slot] < created_minute(observed) - 1:
            # A new resource under the name of a former one, whose alerts and limits it must not have.
            self.drop(key)
            before = None
        rejection = self._rejection(key.cell, observed.usage)
        series = Series(
            key=key,
            slot=before.slot if before else self.allocate(),
            settings=settings,
            unobservable=why_unobservable(observed, settings) or rejection,
            names=key.subject.names,
        )
        # 0 lets the next inventory put the series anew, as CloudWatch may accept the metric by then.
        self.digest[series.slot] = 0 if rejection else digest
        self._update_limit(series, observed.hard_limit, minute, is_new=before is None)
        self._update_columns(series, observed, minute)
        published = observed.published_limit if settings.source is LimitSource.METRIC else None
        self._replace_formula(
            self.usages, series.slot, self._make_usage_formula(series, observed.usage, minute)
        )
        self._replace_formula(self.throttled, series.slot, self._make_formula(series, observed.throttled))
        self._replace_formula(self.served, series.slot, self._make_formula(series, observed.served))
        self._replace_formula(
            self.upper_bounds, series.slot, self._make_formula(series, observed.upper_bound)
        )
        self._replace_formula(self.published_limits, series.slot, self._make_formula(series, published))
        self._replace_causes(series, observed.throttled_by_cause)
        if before != series or before.key.subject.zone != key.subject.zone:
            self.version += 1
        if before and before.names != series.names:
            del self.series[key]  # assigning alone would keep the old key, which has the old name
        self.series[key] = self.by_slot[series.slot] = series
        return series

    def registered(self, key: Key, digest: int) -> Series | None:
        """Return the series if it was put with this digest; None if it must be put anew."""
        series = self.series.get(key)
        return series if series and digest and self.digest[series.slot] == digest else None

    def confirm(
        self, series: Series, settings: SeriesSettings, minute: int, usage: float | None = None
    ) -> None:
        """Record that an inventory at `minute` observed a series unchanged.

        settings: the settings of the series; only the time at which the limit was read may differ. usage: the
        number that an API returned.
        """
        slot = series.slot
        if settings is not series.settings:
            # `replace` would take twice as long.
            series = Series(
                key=series.key,
                slot=slot,
                settings=settings,
                unobservable=series.unobservable,
                names=series.names,
            )
            self.series[series.key] = self.by_slot[slot] = series
        if self.limit_doubted[slot] or slot in self.past_limits:
            self._update_limit(series, bool(self.hard_limit[slot]), minute, is_new=False)
        self.confirmed[slot] = minute
        if usage is not None:
            self._make_usage_formula(series, usage, minute)

    def retag(self, key: Key, settings: SeriesSettings) -> None:
        """Replace the tags of a series. settings: its present settings with the new tags."""
        before = self.series[key]
        if settings.tags != before.settings.tags:
            series = replace(before, settings=settings)
            self.series[key] = self.by_slot[series.slot] = series
            self.version += 1

    def drop(self, key: Key) -> None:
        """Remove a series, and the metrics that no other series uses."""
        series = self.series.pop(key)
        usages = self.usages, self.upper_bounds, self.published_limits
        for formulas in (*usages, self.throttled, self.served):
            self._replace_formula(formulas, series.slot, None)
        self._replace_causes(series, {})
        self.past_limits.forget(series.slot)
        self.clear(series.slot)
        self.dropped.append(series)
        self.version += 1

    def mark_rejected(self, cell: CellKey, metric: bytes, reason: str) -> None:
        """Make the series whose usage needs a metric of a cell unobservable, for this reason.

        These series become observable again when an inventory puts them after a call of `keep_rejected` whose
        `rejected` lacks the metric.
        """
        self._rejection_reasons.setdefault(cell, {})[metric] = reason
        row = self.metrics(cell).get(metric)
        for block in self.usages if row is not None else ():
            for slot in block.slots[(block.rows == row).any(axis=0)].tolist():
                self._make_unobservable(self.by_slot[slot], reason)

    def keep_rejected(self, cell: CellKey, rejected: Set[bytes]) -> None:
        """Forget all metrics of a cell that were marked as rejected, except these."""
        marked = self._rejection_reasons.get(cell, {})
        for metric in marked.keys() - rejected:
            del marked[metric]

    def _make_unobservable(self, series: Series, reason: str) -> None:
        unobservable = replace(series, unobservable=series.unobservable or Unobservable(reason))
        self.series[series.key] = self.by_slot[series.slot] = unobservable
        self.observable[series.slot], self.digest[series.slot] = False, 0
        self.version += 1

    def judged_at(self, slots: Slots, minutes: Ints) -> Judged:
        """Judge some series, each in its minute (see `monitor.fleet.judged`)."""
        return judged_at(self, slots, minutes)

    def has_answered(self, slot: int) -> bool:
        """Return whether AWS has returned the usage of a series, or a point of one of its metrics."""
        formula = self.usages.get(slot)
        return formula is not None and bool((self.rings.newest_point[[*formula.rows]] > NEVER).any())

    def slots_of(self, keys: Iterable[Key]) -> Indices:
        """Return the slots of the given series that are in the fleet."""
        found = (self.series.get(key) for key in keys)
        return np.array([series.slot for series in found if series], np.int32)

    @property
    def purchases(self) -> PurchaseMembers:
        """The series that share a purchase with other series; recomputed when series change."""
        if self._purchases_version != self.version:
            paid_slots = np.flatnonzero(self.paid[: self.size]).astype(np.int32)
            self._purchases = group_purchases(paid_slots, self.purchase[paid_slots], self.size)
            self._purchases_version = self.version
        return self._purchases

    def reclaim(self) -> list[Series]:
        """Return the series dropped since the last call; their slots can be reused from now on."""
        departed, self.dropped = self.dropped, []
        for series in departed:
            self.free(series.slot)
        return departed

    def take_updated(self) -> Ints:
        """Return the slots of series whose metrics were written or read since the last call."""
        updated = np.zeros(self.size, np.bool_)
        for block in (*self.usages, *self.published_limits, *self.throttled, *self.served):
            updated[block.slots] |= self.rings.dirty[block.rows].any(axis=0)
        self.rings.dirty[: self.rings.size] = False
        return np.flatnonzero(updated).astype(np.int32)

    def _update_limit(self, series: Series, hard_limit: bool, minute: int, is_new: bool) -> None:
        """Store the limit that an inventory read.

        A doubted limit that was read again unchanged counts as exceeded, if the newest sample is not older
        than the limit.
        """
        slot, settings = series.slot, series.settings
        before, limit = self.read_limit[slot], np.float32(settings.limit.value if settings.limit else np.nan)
        if not is_new and (before != limit or slot in self.past_limits):
            self.past_limits.record(slot, before, limit, self._limit_start(slot, minute))
        if before != limit and not (isnan(before) and isnan(limit)):
            self.read_limit[slot] = self.limit[slot] = limit
            self.limited_since[slot], self.exceeded[slot] = minute, False
        elif self.limit_doubted[slot] and settings.source in READ_SOURCES:
            self.exceeded[slot] |= self.minute[slot] >= self.limited_since[slot]
        self.hard_limit[slot] = hard_limit and settings.source is not LimitSource.OVERRIDE

    def _limit_start(self, slot: int, read_at: int) -> int:
        """Return the first minute that is judged by a limit which an inventory read at the minute `read_at`.

        That is the minute of the newest sample, which is older than the inventory; without a current sample,
        `read_at`.
        """
        sampled_at = int(sample_minutes(self, np.array([slot], np.int32))[0])
        oldest = max(read_at - int(self.stale_after[slot]), int(self.created[slot]))
        return sampled_at if oldest <= sampled_at <= read_at else read_at

    def _rejection(self, cell: CellKey, usage: Usage | float | Unobservable) -> Unobservable | None:
        """Return why a usage cannot be read, if it needs a metric that CloudWatch rejects."""
        rejected = self._rejection_reasons.get(cell)
        reasons = (rejected.get(metric_query(metric)) for metric in metrics_of(usage)) if rejected else ()
        return next((Unobservable(reason) for reason in reasons if reason), None)

    def _update_columns(self, series: Series, observed: Observed, minute: int) -> None:
        slot, settings = series.slot, series.settings
        self.id[slot] = int(series.key.id, 16)
        self.low[slot], self.high[slot] = settings.band.low, settings.band.high
        self.near[slot] = settings.band.near
        self.stale_after[slot] = settings.stale_after + self.extra_stale_minutes[slot]
        self.period[slot] = observed.longest_period // 60
        self.pending_for[slot], self.paid[slot] = settings.pending_for, settings.paid
        self.purchase[slot] = Purchase.of(series.key, settings.size).id if settings.paid else 0
        self.throttled_pending_for[slot] = settings.tolerance.pending_for
        self.throttled_incomplete[slot] = observed.throttled_incomplete
        self.tolerated_rate[slot] = settings.tolerance.rate
        self.tolerated_share[slot] = settings.tolerance.share
        self.keep_firing_for[slot] = -1 if settings.keep_firing_for is None else settings.keep_firing_for
        self.confirmed[slot] = minute
        self.created[slot] = created_minute(observed)
        self.observable[slot] = series.unobservable is None
        self.drains[slot] = settings.signal.drains
        self.bounded[slot], self.unjudged[slot] = observed.is_bounded, not observed.judged
        self.returned[slot] = isinstance(observed.usage, float | int)
        group: Group = series.key[:4]
        self.group[slot] = self.groups.setdefault(group, len(self.groups))

    def _make_usage_formula(
        self, series: Series, usage: Usage | float | Unobservable, minute: int
    ) -> Formula | None:
        if isinstance(usage, Unobservable):
            return None
        if isinstance(usage, Usage):
            return self._make_formula(series, usage)
        name = series.key.id.encode()
        row = self._returned_usages.get(name)
        if row is None:
            row = self._allocate_row(self._returned_usages, name)
        self.rings.write(np.array([row]), np.array([minute]), np.array([usage], np.float32))
        self.rings.mark_read(np.array([row]), minute)
        return Formula(Shape(Op.SUM, (None,)), (row,), (1.0,))

    def _make_formula(self, series: Series, usage: Usage | None) -> Formula | None:
        if usage is None:
            return None
        rows = tuple([self._metric_row(series.key.cell, metric) for metric in usage.metrics])
        created, delay = int(self.created[series.slot]), series.settings.delay
        for row in rows:
            self.rings.discard_before(row, created)
            self._raise_delay(row, delay)
        return Formula.of(usage, rows)

    def _raise_delay(self, row: int, delay: int) -> None:
        """Raise the assumed publication delay of a metric, and of its aggregates."""
        self.rings.delay[row] = max(self.rings.delay[row], delay)
        for aggregate in self.rings.aggregates(row):
            self._raise_delay(aggregate, delay)

    def _metric_row(self, cell: CellKey, metric: Metric) -> int:
        metric_rows, query = self._polled_rows.setdefault(cell, {}), metric_query(metric)
        row = metric_rows.get(query)
        if row is None:
            row = self._allocate_row(metric_rows, query)
            self.rings.period[row], self.rings.divisor[row] = metric.period_minutes, metric.divisor
            self._add_aggregates(cell, row, metric)
        namespace = self.rings.namespaces.number_of((cell, metric.namespace), metric.period_minutes)
        self.rings.declare(row, namespace, metric.zero_when_absent)
        return row

    def _add_aggregates(self, cell: CellKey, row: int, metric: Metric) -> None:
        """Let the aggregates of a metric be read whenever it is read."""
        if aggregate := self._bounds.aggregate_of(metric):
            self.rings.bound[row] = self._metric_row(cell, aggregate)
        if whole := self._bounds.usage_aggregate_of(metric):
            self.rings.whole[row] = self._metric_row(cell, whole)
        for aggregate_row in self.rings.aggregates(row):
            self.rings.use_count[aggregate_row] += 1

    def _allocate_row(self, metric_rows: MetricRows, metric: bytes) -> int:
        row = metric_rows[metric] = self.rings.allocate()
        self.rings.metric[row], self.rings.metric_rows[row] = metric, metric_rows
        return row

    def _replace_causes(self, series: Series, by_cause: Mapping[str, Usage]) -> None:
        before = self.causes.entries_of(series.slot)
        if before.keys() != by_cause.keys():
            self.version += 1
        for cause in before.keys() - by_cause.keys():
            self._replace_formula(self.causes.formulas, before[cause], None)
            self.causes.remove(series.slot, cause)
        for cause, usage in by_cause.items():
            entry = self.causes.add(series.slot, cause)
            self._replace_formula(self.causes.formulas, entry, self._make_formula(series, usage))

    def _replace_formula(self, formulas: Formulas, slot: int, formula: Formula | None) -> None:
        before = formulas.put(slot, formula)
        if formula == before:
            return
        for row in formula.rows if formula else ():
            self.rings.use_count[row] += 1
        if before and formula and before.shape.op is formula.shape.op:
            rows = np.array(formula.rows, np.int32)
            self.rings.join_through(rows, int(self.rings.proven_through[list(before.rows)].min()))
        for row in before.rows if before else ():
            self._release_row(row)

    def _release_row(self, row: int) -> None:
        self.rings.use_count[row] -= 1
        if not self.rings.use_count[row]:
            aggregates = self.rings.aggregates(row)
            del self.rings.metric_rows[row][self.rings.metric[row]]
            self.rings.free(row)
            for aggregate in aggregates:
                self._release_row(aggregate)
