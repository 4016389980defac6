"""Random samples whose points come late, grow, are denied or are missing: compares notices with the samples.

The usage of each stream is within its band, except in episodes, in which it is near its limit or throttled.
Each episode must have one firing notice after its begin, and then one resolved notice after its end. The
letters of samples are those of `LETTERS` in `harness`, and `r`.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from collectors.base import per_second
from monitor.fleet.fleet import Series
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import NoticeKind
from tests.monitor.alerting.harness import LETTERS, LIMIT, AlertingHarness
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import key, throttled_metric, traffic

MINUTES = 400
EPISODE_INTERVAL = 90  # minutes; each interval has at most one episode
EPISODE_MINUTES = 12, 30  # the duration of an episode: at least 12, less than 30
POLLED_MINUTES = 60  # minutes that a poll requests; every point is published before it is that old
SETTLED_AFTER = 3  # minutes until a point no longer grows
DELAYS = 0, 0, 0, 1, 2  # minutes until CloudWatch publishes a sample; most are published at once
SAMPLE_VALUES = LETTERS | {"r": (0.5, 60.0)}  # r: throttled, though usage is within the band
STREAMS = [f"stream-{n}" for n in range(8)]


sparse_traffic = replace(traffic, zero_when_absent=True)


def series_of(harness: AlertingHarness, name: str) -> Series:
    """Return the series of a stream. Its metrics have no point in a minute without traffic."""
    present = harness.fleet.series.get(key(name))
    return present or harness.series(name, usage=per_second(sparse_traffic.of(StreamName=key(name).id)))


class TrueSamples:
    """The true samples of all streams, and when CloudWatch publishes each. Minutes count from the start.

    episodes: by stream, the begin and the end of each episode, in minutes, and its letter. letters: the
    letter of the true sample, by stream and minute. unpublished: the minutes in which CloudWatch publishes
    nothing; they begin within an episode. denied: the minutes in which every poll fails. delays: the minutes
    until a sample is published, by stream and minute.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.episodes = {name: list(self._episodes()) for name in STREAMS}
        self.letters = {(name, at): self._letter(name, at) for name in STREAMS for at in range(MINUTES)}
        all_episodes = [episode for episodes in self.episodes.values() for episode in episodes]
        episode_begin, _, _ = rng.choice(all_episodes)
        begin, minutes = episode_begin + rng.randrange(8, 12), rng.randrange(10, 30)
        self.unpublished = range(begin, begin + minutes)
        begin, minutes = rng.randrange(60, 250), rng.randrange(5, 30)
        self.denied = range(begin, begin + minutes)
        self.delays = {(name, at): rng.choice(DELAYS) for name in STREAMS for at in range(MINUTES)}

    def _episodes(self) -> Iterator[tuple[int, int, str]]:
        for interval_begin in range(30, MINUTES - EPISODE_INTERVAL, EPISODE_INTERVAL):
            if self.rng.random() < 0.6:
                begin = interval_begin + self.rng.randrange(20)
                yield begin, begin + self.rng.randrange(*EPISODE_MINUTES), self.rng.choice("cr")

    def _letter(self, name: str, at: int) -> str:
        return next((letter for begin, end, letter in self.episodes[name] if begin <= at < end), ".")

    def published(self, name: str, at: int, now: int) -> tuple[float, float] | None:
        """Return the traffic and the throttled demand of minute `at`, as published when minute `now` begins.

        Returns None if they are not published yet.
        """
        age = now - at - 1
        # What was delayed when the interruption began is published after the interruption.
        is_interrupted = now in self.unpublished and at >= self.unpublished.start - max(DELAYS)
        if age < self.delays[name, at] or is_interrupted:
            return None
        utilization, throttled = SAMPLE_VALUES[self.letters[name, at]]
        share = 1.0 if age >= SETTLED_AFTER else 0.5 + 0.1 * age  # of the final value
        return utilization * LIMIT * 60 * share, throttled * share


def poll(harness: AlertingHarness, samples: TrueSamples, start: int, now: int) -> None:
    """Write the points that a poll in minute `now` returns. start: the Unix minute of minute 0."""
    rings, points = harness.fleet.rings, list[tuple[int, int, float]]()
    for name in STREAMS:
        series = series_of(harness, name)
        metrics = harness.fleet.metrics(series.key.cell)
        usage_row, throttled_row = [
            metrics[metric_query(metric.of(StreamName=series.key.id))]
            for metric in (sparse_traffic, throttled_metric)
        ]
        for at in range(max(0, now - POLLED_MINUTES), now):
            if values := samples.published(name, at, now):
                points += [(usage_row, start + at, values[0])]
                points += [(throttled_row, start + at, values[1])] if values[1] else []
    point_rows, minutes, point_values = zip(*points, strict=True) if points else ((), (), ())
    rings.write(
        np.array(point_rows, np.int32), np.array(minutes, np.int32), np.array(point_values, np.float32)
    )
    all_rows = np.fromiter(metrics.values(), np.int32)
    rings.mark_read(all_rows, start + now - 1 - SETTLED_AFTER)


@pytest.mark.parametrize("seed", range(3))
async def test_each_episode_causes_one_firing_and_one_resolved_notice(seed: int) -> None:
    samples = TrueSamples(random.Random(seed))
    async with AlertingHarness.opened(MemoryStore()) as harness:
        start, received = harness.minute, {name: list[tuple[NoticeKind, int]]() for name in STREAMS}
        for now in range(1, MINUTES):
            harness.minute = start + now
            harness.seconds = harness.minute * 60.0
            if now not in samples.denied:
                poll(harness, samples, start, now)
            harness.fleet.confirmed[: harness.fleet.size] = harness.minute
            harness.set_read_result()
            for notice in await harness.process():
                if notice.subject and notice.kind in (NoticeKind.FIRING, NoticeKind.RESOLVED):
                    received[notice.subject.path[0]].append((notice.kind, now))
        for name, episodes in samples.episodes.items():
            kinds = [kind for kind, _ in received[name]]
            assert kinds == [NoticeKind.FIRING, NoticeKind.RESOLVED] * len(episodes), (
                name,
                episodes,
                received[name],
            )
            for n, (begin, end, _) in enumerate(episodes):
                (_, fired_at), (_, resolved_at) = received[name][2 * n : 2 * n + 2]
                assert begin < fired_at
                assert end < resolved_at
