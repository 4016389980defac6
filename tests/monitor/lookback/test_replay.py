"""A look-back finds the same notices as a running monitor, whose alert engine gets the same samples."""

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
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.stage import LETTERS, LIMIT, SHORT, Stage, configuration
from tests.monitor.fleet.fleets import add, key, refused, traffic
from tests.monitor.lookback.past import START, Past, notices_of, spelled
from tests.registries import REGISTRY

Revision = tuple[int, int, str]

runs = st.lists(st.tuples(st.sampled_from("bl.hacs_"), st.integers(1, 14)), min_size=1, max_size=30)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(runs.map(lambda some: spelled(*some)), min_size=1, max_size=3))
async def test_a_look_back_has_the_notices_of_a_running_monitor_for_the_same_samples(
    stories: list[str],
) -> None:
    length = max(map(len, stories))
    named = {f"stream-{n}": story.ljust(length, "_") for n, story in enumerate(stories)}
    past = Past()
    names = {past.add_stream(name, story).slot: name for name, story in named.items()}
    # The engine does not evaluate its first minute: the samples begin one minute later.
    async with Stage.opened(MemoryStore(), minute=START - 1) as stage:
        await stage.play(**{name: f"_{story}" for name, story in named.items()})
        live = sorted(
            (int(one.at) // 60 - START - 1, one.labels["resource"], str(one.kind), str(one.severity))
            for one in stage.notices
            if one.kind is not NoticeKind.REPEATED
        )
    assert notices_of(past.look(), names) == live


MINUTES, AFTERWARDS = 150, 20
TAIL = "." * AFTERWARDS
stories = runs.map(lambda some: spelled(*some)[:MINUTES].ljust(MINUTES, ".") + TAIL)
# A minute, the minutes until its sample is revised, and the letter of the wrong sample before.
revisions = st.tuples(
    st.integers(0, MINUTES - 1), st.integers(1, REVISION_MINUTES - 1), st.sampled_from("b.acs")
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(stories, st.lists(revisions, max_size=40)), min_size=1, max_size=4))
def test_a_look_back_has_the_zones_of_a_running_monitor_once_samples_are_revised(
    revised_stories: list[tuple[str, list[Revision]]],
) -> None:
    past = Past()
    slots = [past.add_stream(f"stream-{n}", story).slot for n, (story, _) in enumerate(revised_stories)]
    lookback = past.look()
    live = Running([RevisedStory(story, wrong) for story, wrong in revised_stories])
    for now in range(MINUTES + AFTERWARDS):
        live.poll(now)
        for slot, (minute, zone) in zip(slots, live.settled(), strict=True):
            if minute >= 0:
                assert zone == zone_at(lookback, slot, START + minute), (minute, revised_stories)


def zone_at(lookback: Lookback, slot: int, minute: int) -> str | None:
    """Return the zone of the alert that fires in a minute according to the look-back."""
    changes = [one for one in lookback.ways[0].notices if one.slot == slot and one.minute <= minute]
    last = changes[-1] if changes else None
    return last.zone.word if last and last.kind is not NoticeKind.RESOLVED else None


class RevisedStory:
    """The letters of a series' samples, and the wrong letters that some minutes have at first."""

    def __init__(self, letters: str, wrong: list[Revision]) -> None:
        self.letters = letters
        self.wrong = {minute: (after, letter) for minute, after, letter in wrong if letters[minute] != "_"}

    def arriving(self, now: int) -> list[tuple[int, str]]:
        """Return the samples that arrive in minute `now`: the minute and the letter of each."""
        revised = [
            (minute, self.letters[minute])
            for minute, (after, _) in self.wrong.items()
            if minute + after == now
        ]
        shown = self.wrong[now][1] if now in self.wrong else self.letters[now]
        return revised + ([(now, shown)] if shown != "_" else [])


class Running:
    """A running monitor that polls once a minute."""

    def __init__(self, revised_stories: list[RevisedStory]) -> None:
        self.fleet, self.revised_stories = Fleet(), revised_stories
        self.series = [add(self.fleet, key(f"stream-{n}"), SHORT) for n in range(len(revised_stories))]
        self.slots = np.array([one.slot for one in self.series], np.int32)
        self.lifecycle = Lifecycle(self.fleet, START - 1)
        self.lifecycle.max_batch_minutes = batch_minutes(
            configuration().alerting_settings(REGISTRY).poll_interval
        )

    def poll(self, now: int) -> None:
        rings, rows = self.fleet.rings, self.fleet.metrics(self.series[0].key.cell)
        points = [
            (rows[metric_query(metric.of(StreamName=one.key.id))], START + minute, value)
            for one, story in zip(self.series, self.revised_stories, strict=True)
            for minute, letter in story.arriving(now)
            for metric, value in ((traffic, LETTERS[letter][0] * LIMIT * 60), (refused, LETTERS[letter][1]))
        ]
        if points:
            of, minutes, values = zip(*points, strict=True)
            rings.write(np.array(of, np.int32), np.array(minutes, np.int32), np.array(values, np.float32))
        rings.mark_read(np.array([*rows.values()], np.int32), START + now)
        list(self.lifecycle.advance_in_parts(self.slots))

    def settled(self) -> list[tuple[int, str | None]]:
        """Return the newest minute of each series that is not revised any more, and its alert's zone then.

        Minutes are counted from START.
        """
        newest = np.maximum(
            self.fleet.usages.newest_minutes(self.fleet.rings, self.slots),
            self.fleet.throttled.newest_minutes(self.fleet.rings, self.slots),
        )
        saved = self.lifecycle.states.export(self.slots)
        return [
            (minute - REVISION_MINUTES - START, self._zone([one for one in saved if one.slot == slot]))
            for slot, minute in zip(self.slots.tolist(), newest.tolist(), strict=True)
        ]

    def _zone(self, saved: list[SavedAlert]) -> str | None:
        firing = [one.rule for one in saved if one.settled.state is AlertState.FIRING]
        return max(firing).word if firing else None
