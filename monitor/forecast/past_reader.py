"""Reads the usage of a fortnight once for each series, the most urgent first.

CloudWatch bills each requested metric, however many points it returns: a fortnight costs as much as a minute.
The calls are spread over time, so that they exhaust neither AWS's rate limits nor the event loop. If a
point of five minutes has throttled demand, its minutes are also read one by one (see `CeilingReader`).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np

from monitor.aws.failure import Failure
from monitor.aws.rate_limiter import RateLimiter
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.throttling import throttled_per_served
from monitor.forecast.ceiling_reader import MAX_PERIOD, CeilingReader
from monitor.forecast.past_metrics import METRICS_AT_ONCE, Metrics, PastMetrics, past_queries
from monitor.forecast.past_rings import PastRings
from monitor.forecast.recorder import NO_ROW, RECORDED_BINS, Recorder
from monitor.polling.past_points import POINT_MINUTES
from monitor.polling.reader import MetricReader
from rules.analogs import BIN_MINUTES
from rules.arrays import Floats, Indices, Ints
from rules.forecast import BINS

log = logging.getLogger(__name__)

METRICS_PER_SECOND: Final = 20.0  # requested; more if reading all would take longer than MAX_READ_TIME
MAX_READ_TIME: Final = 3600.0  # seconds in which all waiting series are read
WORKERS: Final = 2  # concurrent calls; an account and region may have four, of which polls need two
IDLE_INTERVAL: Final = 10.0  # seconds between two searches for unread series
# The longest such interval: it doubles after each search that finds none, as a search visits all series.
MAX_IDLE_INTERVAL: Final = 60.0
RETRY_INTERVAL: Final = 1800.0  # seconds until a read that failed or exceeded the budget is tried again
MAX_CACHED_METRICS: Final = 256  # the most metrics whose points are cached, for other series that use them
MAX_CEILINGS: Final = 1000  # series of which single minutes are read; the most urgent series come first
MAX_SKIPPED: Final = METRICS_AT_ONCE  # series of other cells that are passed over to fill one call
MAX_LOGGED_FAILURES: Final = 256  # different sentences

CellReaders = Mapping[CellKey, MetricReader]


class ReadTask(NamedTuple):
    """Series of one cell whose past is read together, and their metrics."""

    cell: CellKey
    slots: list[int]
    metrics: Metrics


class ReadLimits(NamedTuple):
    """The rate of requested metrics, the seconds until a failed read is tried again, and MAX_CEILINGS."""

    metrics_per_second: float = METRICS_PER_SECOND
    retry_interval: float = RETRY_INTERVAL
    max_ceilings: int = MAX_CEILINGS


LIMITS: Final = ReadLimits()


class PastReader:
    """Reads the past of the series that a recorder records.

    readers: returns the readers of the watched cells. on_read: called with the slots of series whose past was
    read, or that have no past to read. `HistoryBlock.is_read` marks these series, so that no restart reads
    their past again.
    """

    def __init__(
        self,
        fleet: Fleet,
        recorder: Recorder,
        readers: Callable[[], CellReaders],
        on_read: Callable[[Ints], None],
        limits: ReadLimits = LIMITS,
    ) -> None:
        self._fleet, self._recorder, self._readers, self._on_read = fleet, recorder, readers, on_read
        self._limits, self._limiter = limits, RateLimiter(limits.metrics_per_second)
        self._queue = deque[int]()
        self._reading: set[int] = set()  # slots whose past is being read
        self._retry_at: dict[int, float] = {}  # by the id of the series
        self._past_metrics = PastMetrics(fleet, self._limiter, POINT_MINUTES, MAX_CACHED_METRICS)
        self._ceilings = CeilingReader(fleet, recorder, self._limiter, limits.max_ceilings)
        self._logged: set[str] = set()

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(WORKERS):
                workers.create_task(self._work())

    async def _work(self) -> None:
        interval = IDLE_INTERVAL
        while True:
            if task := self._next_task():
                await self._read_guarded(task)
                interval = IDLE_INTERVAL
            elif await self._wait_for_series(interval):
                interval = IDLE_INTERVAL
            else:
                interval = min(2 * interval, MAX_IDLE_INTERVAL)

    async def _wait_for_series(self, max_seconds: float) -> bool:
        """Wait at most `max_seconds` for series that get a row of the history; return whether any did."""
        try:
            async with asyncio.timeout(max_seconds):
                await self._recorder.has_new_rows.wait()
        except TimeoutError:
            return False
        self._recorder.has_new_rows.clear()
        return True

    async def read_all(self, slots: Ints) -> None:
        """Read the past of these series, unless it was read before."""
        self._queue = deque(self._unread(slots).tolist())
        while task := self._task_of_queue():
            await self._read_guarded(task)

    def _next_task(self) -> ReadTask | None:
        """Return the next task, after a new search if the queue is empty; None if all series are read."""
        if not self._queue:
            slots = np.flatnonzero(self._recorder.rows != NO_ROW).astype(np.int32)
            self._queue = deque(self._by_urgency(self._unread(slots)).tolist())
            self._limiter.rate.set_highest(
                max(self._limits.metrics_per_second, len(self._queue) / MAX_READ_TIME)
            )
        return self._task_of_queue()

    def _task_of_queue(self) -> ReadTask | None:
        """Take series of one cell from the queue, as many as fit into one call."""
        task: ReadTask | None = None
        skipped: list[int] = []
        while self._queue and len(skipped) < MAX_SKIPPED:
            slot = self._queue.popleft()
            series, metrics = self._fleet.by_slot[slot], self._metrics_or_finish(slot)
            if series is None or metrics is None or slot in self._reading:
                continue
            if task is None:
                task = ReadTask(series.key.cell, [slot], metrics)
            elif series.key.cell == task.cell and len({*metrics, *task.metrics}) <= METRICS_AT_ONCE:
                task.slots.append(slot)
                task.metrics.update(metrics)
            else:
                skipped.append(slot)
        self._queue.extendleft(reversed(skipped))
        if task:
            self._reading.update(task.slots)
        return task

    def _unread(self, slots: Ints) -> Ints:
        """Return the slots of series whose past is not read, except series that wait for another attempt."""
        now = asyncio.get_running_loop().time()
        self._retry_at = {series_id: at for series_id, at in self._retry_at.items() if at > now}
        waiting_ids = np.array([*self._retry_at], np.uint64)
        unread = slots[~self._recorder.history.is_read(self._recorder.rows[slots])]
        return unread[~np.isin(self._fleet.id[unread], waiting_ids)]

    def _by_urgency(self, slots: Ints) -> Ints:
        utilization = np.nan_to_num(self._fleet.utilization[slots], nan=-1)
        return slots[np.lexsort((-utilization, -self._fleet.zone[slots].astype(np.int32)))]

    def _metrics_or_finish(self, slot: int) -> Metrics | None:
        """Return the metrics of a series' demand that are to be read in points of five minutes.

        None if it has no such metrics: then this marks the series as read. An empty dictionary if only single
        minutes are still to be read.
        """
        row = int(self._recorder.rows[slot])
        if row == NO_ROW:
            return None
        if self._ceilings.is_waiting(slot):
            return {}
        if metrics := past_queries(self._fleet, self._fleet.usages.get(slot)):
            return metrics | self._throttled_queries(slot)
        self._finish(slot)
        return None

    def _throttled_queries(self, slot: int) -> Metrics:
        """Return the metrics of throttled demand, and, if the limit is bought, those of served demand."""
        fleet = self._fleet
        throttled = past_queries(fleet, fleet.throttled.get(slot))
        if not (fleet.paid[slot] and throttled):
            return throttled
        return throttled | past_queries(fleet, fleet.served.get(slot))

    async def _read_guarded(self, task: ReadTask) -> None:
        """Read the past of some series; series whose read fails are tried again later."""
        try:
            failures = await self._read(task)
        except Exception:
            log.exception("reading the usage of a fortnight failed")
            failures = []
        finally:
            self._reading.difference_update(task.slots)
        for failure in failures:
            self._log(task.cell, failure)
        retry_at = asyncio.get_running_loop().time() + self._limits.retry_interval
        for slot in self._unread(np.array(task.slots, np.int32)).tolist():
            self._retry_at[int(self._fleet.id[slot])] = retry_at

    def _log(self, cell: CellKey, failure: Failure) -> None:
        """Log a failure once."""
        sentence = f"{'/'.join(cell)}: the usage of a fortnight cannot be read: {failure.sentence}"
        if sentence not in self._logged and len(self._logged) < MAX_LOGGED_FAILURES:
            self._logged.add(sentence)
            log.warning("%s", sentence)

    async def _read(self, task: ReadTask) -> list[Failure]:
        """Read and store the past of some series, then minutes with throttled demand; return the failures."""
        reader = self._readers().get(task.cell)
        if reader is None:
            return []
        now = reader.cell.clock.minute()
        self._ceilings.drop_expired(now)
        minutes, ids = _past_minutes(now), self._fleet.id[task.slots]
        failures, points = await self._past_metrics.read(reader, task.metrics, minutes, now)
        complete = [slot for slot in task.slots if self._is_complete(slot, task, points)]
        if complete:
            self._store(np.array(complete, np.int32), points, minutes, now)
        for slot, series_id in zip(task.slots, ids.tolist(), strict=True):
            if self._fleet.id[slot] == series_id and self._ceilings.is_waiting(slot):
                failures += await self._ceilings.read(slot, reader, now)
                if self._fleet.id[slot] == series_id and not self._ceilings.is_waiting(slot):
                    self._finish(slot)
        return failures

    def _finish(self, slot: int) -> None:
        """Mark a series as read."""
        if (row := int(self._recorder.rows[slot])) != NO_ROW:
            block, column = self._recorder.history.block_and_column(row)
            block.is_read[column] = True
            self._on_read(np.array([slot], np.int32))

    def _is_complete(self, slot: int, task: ReadTask, points: Mapping[int, Floats]) -> bool:
        """Return whether a series still has the metrics that were read, and all of its usage was returned."""
        if not (metrics := self._metrics_or_finish(slot)):
            return False
        is_same = all(task.metrics.get(row) == query for row, query in metrics.items())
        formula = self._fleet.usages.get(slot)
        return is_same and formula is not None and points.keys() >= {*formula.rows}

    def _store(self, slots: Ints, points: Mapping[int, Floats], minutes: range, now: int) -> None:
        """Compute the usage of some series from their points, store it, and find throttled demand."""
        fleet, recorder = self._fleet, self._recorder
        starts = np.arange(minutes.start, minutes.stop, POINT_MINUTES, dtype=np.int32)
        past = PastRings(fleet.rings, minutes.start, points)
        sample_slots, sample_minutes = np.tile(slots, starts.size), np.repeat(starts, slots.size)
        usage = fleet.usages.at(past, sample_slots, sample_minutes)
        usage[sample_minutes < fleet.created[sample_slots]] = np.nan
        usage *= 1 + throttled_per_served(fleet, past, sample_slots, sample_minutes)
        by_bin = usage.reshape(-1, BIN_MINUTES // POINT_MINUTES, slots.size)
        highest: Floats = np.fmax.reduce(by_bin, axis=1)
        for index, slot in enumerate(slots.tolist()):
            block, column = recorder.history.block_and_column(int(recorder.rows[slot]))
            columns: Indices = np.array([column], np.intp)
            block.put(columns, minutes.start // BIN_MINUTES, highest[:, index : index + 1])
            self._ceilings.find(slot, past, minutes, now)
            block.is_read[column] = not self._ceilings.is_waiting(slot)
        self._on_read(slots)


def _past_minutes(now: int) -> range:
    """Return the minutes to read, in whole hours: from a fortnight ago to the first minute of the rings."""
    first_bin, end_bin = now // BIN_MINUTES - BINS, now // BIN_MINUTES - RECORDED_BINS
    first_hour, end_hour = BIN_MINUTES * first_bin // MAX_PERIOD, -(-BIN_MINUTES * end_bin // MAX_PERIOD)
    return range(first_hour * MAX_PERIOD, end_hour * MAX_PERIOD)
