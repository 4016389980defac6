"""A look-back finds the same notices as a running monitor that gets the same samples.

`LETTERS` of `tests.monitor.alerting.harness` declares the sample that each letter stands for.
"""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerting.lifecycle import Lifecycle, batch_minutes
from monitor.fleet.fleet import Fleet
from monitor.fleet.metric_query import metric_query
from monitor.lookback.lookback import Lookback
from monitor.notifiers.notice import NoticeKind
from rules.alert_states import REVISION_MINUTES, SavedAlert
from rules.alerts import AlertState
from tests.monitor.alerting.harness import LETTERS, LIMIT, SHORT, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import add, key, throttled_metric, traffic
from tests.monitor.lookback.past import START, Past, letters_of_runs, notices_of
from tests.registries import REGISTRY

Revision = tuple[int, int, str]

runs = st.lists(st.tuples(st.sampled_from("bl.hacs_"), st.integers(1, 14)), min_size=1, max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(runs.map(lambda drawn: letters_of_runs(*drawn)), min_size=1, max_size=3))
async def test_a_look_back_has_the_notices_of_a_running_monitor_for_the_same_samples(
    letters_of_streams: list[str],
) -> None:
    length = max(map(len, letters_of_streams))
    by_name = {f"stream-{n}": letters.ljust(length, "_") for n, letters in enumerate(letters_of_streams)}
    past = Past()
    names = {past.add_stream(name, letters).slot: name for name, letters in by_name.items()}
    # The engine does not evaluate its first minute: the samples begin one minute later.
    async with AlertingHarness.opened(MemoryStore(), minute=START - 1) as harness:
        await harness.run_minutes(**{name: f"_{letters}" for name, letters in by_name.items()})
        running_notices = sorted(
            (
                int(notice.at) // 60 - START - 1,
                notice.labels["resource"],
                str(notice.kind),
                str(notice.severity),
            )
            for notice in harness.notices
            if notice.kind is not NoticeKind.REPEATED
        )
    assert notices_of(past.look_back(), names) == running_notices


MINUTES, MINUTES_AFTERWARDS = 150, 20
letters_of_a_stream = runs.map(
    lambda drawn: letters_of_runs(*drawn)[:MINUTES].ljust(MINUTES, ".") + "." * MINUTES_AFTERWARDS
)
# A minute, after how many minutes its sample is revised, and the letter of the sample before the revision.
revisions = st.tuples(
    st.integers(0, MINUTES - 1), st.integers(1, REVISION_MINUTES - 1), st.sampled_from("b.acs")
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(letters_of_a_stream, st.lists(revisions, max_size=40)), min_size=1, max_size=4))
def test_a_look_back_has_the_zones_of_a_running_monitor_once_samples_are_revised(
    streams: list[tuple[str, list[Revision]]],
) -> None:
    past = Past()
    slots = [past.add_stream(f"stream-{n}", letters).slot for n, (letters, _) in enumerate(streams)]
    lookback = past.look_back()
    monitor = RunningMonitor([RevisedSamples(letters, revisions) for letters, revisions in streams])
    for now in range(MINUTES + MINUTES_AFTERWARDS):
        monitor.poll(now)
        for slot, (minute, zone) in zip(slots, monitor.settled_zones(), strict=True):
            if minute >= 0:
                assert zone == zone_at(lookback, slot, START + minute), (minute, streams)


def zone_at(lookback: Lookback, slot: int, minute: int) -> str | None:
    """Return the zone of the alert that fires in a minute according to the look-back."""
    changes = [
        notice for notice in lookback.ways[0].notices if notice.slot == slot and notice.minute <= minute
    ]
    last = changes[-1] if changes else None
    return last.zone.word if last and last.kind is not NoticeKind.RESOLVED else None


class RevisedSamples:
    """The samples of a series as letters, and the letters that some minutes have until their revision."""

    def __init__(self, letters: str, revisions: list[Revision]) -> None:
        self.letters = letters
        self.before_revision = {
            minute: (after, letter) for minute, after, letter in revisions if letters[minute] != "_"
        }

    def arriving_samples(self, now: int) -> list[tuple[int, str]]:
        """Return the samples that arrive in minute `now`: the minute and the letter of each."""
        revised = [
            (minute, self.letters[minute])
            for minute, (after, _) in self.before_revision.items()
            if minute + after == now
        ]
        newest = self.before_revision[now][1] if now in self.before_revision else self.letters[now]
        return revised + ([(now, newest)] if newest != "_" else [])


class RunningMonitor:
    """A running monitor that polls once a minute."""

    def __init__(self, samples_of_series: list[RevisedSamples]) -> None:
        self.fleet, self.samples_of_series = Fleet(), samples_of_series
        self.series = [add(self.fleet, key(f"stream-{n}"), SHORT) for n in range(len(samples_of_series))]
        self.slots = np.array([series.slot for series in self.series], np.int32)
        poll_interval = configuration().alerting_settings(REGISTRY).poll_interval
        self.lifecycle = Lifecycle(self.fleet, START - 1, batch_minutes(poll_interval))

    def poll(self, now: int) -> None:
        rings, rows = self.fleet.rings, self.fleet.metrics(self.series[0].key.cell)
        points = [
            (rows[metric_query(metric.of(StreamName=series.key.id))], START + minute, value)
            for series, samples in zip(self.series, self.samples_of_series, strict=True)
            for minute, letter in samples.arriving_samples(now)
            for metric, value in (
                (traffic, LETTERS[letter][0] * LIMIT * 60),
                (throttled_metric, LETTERS[letter][1]),
            )
        ]
        if points:
            point_rows, minutes, values = zip(*points, strict=True)
            rings.write(
                np.array(point_rows, np.int32), np.array(minutes, np.int32), np.array(values, np.float32)
            )
        rings.mark_read(np.array([*rows.values()], np.int32), START + now)
        list(self.lifecycle.advance_in_parts(self.slots))

    def settled_zones(self) -> list[tuple[int, str | None]]:
        """Return of each series the newest minute that is no longer revised, and the alert's zone in it.

        Minutes are counted from START.
        """
        newest = np.maximum(
            self.fleet.usages.newest_minutes(self.fleet.rings, self.slots),
            self.fleet.throttled.newest_minutes(self.fleet.rings, self.slots),
        )
        saved = self.lifecycle.states.export(self.slots)
        return [
            (minute - REVISION_MINUTES - START, self._zone([alert for alert in saved if alert.slot == slot]))
            for slot, minute in zip(self.slots.tolist(), newest.tolist(), strict=True)
        ]

    def _zone(self, saved: list[SavedAlert]) -> str | None:
        firing = [alert.rule for alert in saved if alert.settled.state is AlertState.FIRING]
        return max(firing).word if firing else None
