"""Hours of late, growing, denied and missing points, played by chance: notices compared with the truth.

Each stream is well but for some episodes, far apart, in which it is near its limit or refused. Each episode
is to be told as firing once and as resolved once, in that order, neither before it is true.
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
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.stage import LETTERS, LIMIT, Stage
from tests.monitor.fleet.fleets import key, refused, traffic

MINUTES = 400
APART = 90  # minutes from the beginning of an episode to that of the next one
LASTS = 12, 30  # minutes, an episode
ASKED = 60  # minutes that a poll asks for: longer than anything is late
SETTLED = 3  # minutes until a point no longer grows
SHOWN = LETTERS | {"r": (0.5, 60.0)}  # refused, though it does not look full
STREAMS = [f"stream-{n}" for n in range(8)]


calls = replace(traffic, zero_when_absent=True)


def series_of(stage: Stage, name: str) -> Series:
    """The series of a stream of whose metrics none has a point when nothing happens."""
    known = stage.fleet.series.get(key(name))
    return known or stage.series(name, usage=per_second(calls.of(StreamName=key(name).id)))


class TrueSamples:
    """The true samples, and the time when CloudWatch shows each. Minutes count from the beginning."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.episodes = {name: list(self._episodes()) for name in STREAMS}
        self.letters = {(name, at): self._letter(name, at) for name in STREAMS for at in range(MINUTES)}
        first, _, _ = chance.choice([one for episodes in self.episodes.values() for one in episodes])
        begin, lasts = first + chance.randrange(8, 12), chance.randrange(10, 30)
        self.late = range(begin, begin + lasts)  # CloudWatch publishes nothing, in the midst of an episode
        begin, lasts = chance.randrange(60, 250), chance.randrange(5, 30)
        self.denied = range(begin, begin + lasts)  # nothing can be read
        self.delays = {
            (name, at): chance.choice((0, 0, 0, 1, 2)) for name in STREAMS for at in range(MINUTES)
        }

    def _episodes(self) -> Iterator[tuple[int, int, str]]:
        for begin in range(30, MINUTES - APART, APART):
            if self.chance.random() < 0.6:
                first = begin + self.chance.randrange(20)
                yield first, first + self.chance.randrange(*LASTS), self.chance.choice("cr")

    def _letter(self, name: str, at: int) -> str:
        return next((letter for first, end, letter in self.episodes[name] if first <= at < end), ".")

    def seen(self, name: str, at: int, now: int) -> tuple[float, float] | None:
        """Traffic and refusals of a minute, as shown when the minute `now` begins; None: not yet."""
        age = now - at - 1 - self.delays[name, at]
        if age < 0 or (now in self.late and at >= self.late.start - 2):
            return None
        used, count = SHOWN[self.letters[name, at]]
        old = now - at - 1
        part = 1.0 if old >= SETTLED else 0.5 + 0.1 * old
        return used * LIMIT * 60 * part, count * part


def poll(stage: Stage, samples: TrueSamples, began: int, now: int) -> None:
    """All that CloudWatch shows of the last minutes, as a poll writes it."""
    rings, written = stage.fleet.rings, list[tuple[int, int, float]]()
    for name in STREAMS:
        series = series_of(stage, name)
        metrics = stage.fleet.metrics(series.key.cell)
        rows = [metrics[metric_query(one.of(StreamName=series.key.id))] for one in (calls, refused)]
        for at in range(max(0, now - ASKED), now):
            if values := samples.seen(name, at, now):
                written += [(rows[0], began + at, values[0])]
                written += [(rows[1], began + at, values[1])] if values[1] else []
    row, minute, value = zip(*written, strict=True) if written else ((), (), ())
    rings.write(np.array(row, np.int32), np.array(minute, np.int32), np.array(value, np.float32))
    everything = np.fromiter(metrics.values(), np.int32)
    rings.mark_read(everything, began + now - 1 - SETTLED)


@pytest.mark.parametrize("seed", range(3))
async def test_each_episode_causes_one_firing_and_one_resolved_notice(seed: int) -> None:
    samples = TrueSamples(random.Random(seed))
    async with Stage.opened(MemoryStore()) as stage:
        began, heard = stage.minute, {name: list[tuple[NoticeKind, int]]() for name in STREAMS}
        for now in range(1, MINUTES):
            stage.minute = began + now
            stage.seconds = stage.minute * 60.0
            if now not in samples.denied:
                poll(stage, samples, began, now)
            stage.fleet.confirmed[: stage.fleet.size] = stage.minute
            stage.set_read_result()
            for notice in await stage.process():
                if notice.subject and notice.kind in (NoticeKind.FIRING, NoticeKind.RESOLVED):
                    heard[notice.subject.path[0]].append((notice.kind, now))
        for name, episodes in samples.episodes.items():
            kinds = [kind for kind, _ in heard[name]]
            assert kinds == [NoticeKind.FIRING, NoticeKind.RESOLVED] * len(episodes), (
                name,
                episodes,
                heard[name],
            )
            for n, (first, end, _) in enumerate(episodes):
                (_, fired), (_, resolved) = heard[name][2 * n : 2 * n + 2]
                assert first < fired
                assert end < resolved
