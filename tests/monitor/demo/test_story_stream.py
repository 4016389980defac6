"""The demo's story stream, minute by minute, while scenes begin."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from monitor.demo.scenes import REFUSED_BEFORE_MINUTE_END, SCENES, BegunScenes, Scene, story_start
from monitor.demo.story_stream import StoryStream
from rules.signals import DEFAULT_TOLERANCE

START = 29_000_000  # minutes since 1970


@dataclass
class ScriptedStream:
    """A story stream whose clock and scenes the test sets."""

    now: float = START * 60.0
    scenes: BegunScenes = field(default_factory=BegunScenes)

    @property
    def stream(self) -> StoryStream:
        return StoryStream(name="sales", start=START, scenes=self.scenes, clock=lambda: self.now)

    def begin(self, scene: Scene, after: float) -> None:
        """Begin a scene. after: seconds since START."""
        self.now = START * 60.0 + after
        self.scenes.begin(scene, self.now)

    def accepted_and_throttled(self, minute: int) -> tuple[float, float]:
        """Return the accepted and the throttled demand of a minute, as shares of the first limit.

        minute: counted from START.
        """
        minutes = np.array([minute])
        return self.stream.accepted(minutes)[0, 0], self.stream.excess(minutes, 1.0)[0, 0]


def test_scenes_are_declared_in_the_order_of_their_times() -> None:
    assert [*SCENES] == [*Scene]
    times = [settings.after for settings in SCENES.values()]
    assert times == sorted(times)


def test_nothing_happens_before_a_scene_begins() -> None:
    script = ScriptedStream(now=START * 60.0 + 600)
    for minute in range(10):
        accepted, throttled = script.accepted_and_throttled(minute)
        assert 0.6 < accepted < 0.7
        assert throttled == 0


def test_demand_rises_and_then_is_throttled_and_then_fits_the_doubled_shards() -> None:
    script = ScriptedStream()
    script.begin(Scene.RISE, 20)
    script.now += 30
    accepted, throttled = script.accepted_and_throttled(0)
    assert 0.85 < accepted < 1
    assert throttled == 0
    script.begin(Scene.THROTTLED, 75)
    script.now += 5
    accepted, throttled = script.accepted_and_throttled(1)
    assert accepted == 1
    assert throttled > 0.1
    assert script.stream.open_shards == 2
    script.begin(Scene.RAISED, 110)
    assert script.accepted_and_throttled(1)[1] == throttled  # past throttled demand does not change
    script.now += 60
    accepted, throttled = script.accepted_and_throttled(2)
    assert 1.1 < accepted < 1.3
    assert 0 < throttled < DEFAULT_TOLERANCE.share
    # Reads, whose limit is twice as high, are not refused.
    assert (script.stream.excess(np.arange(1, 8), 2.0) == 0).all()


def test_writes_are_refused_until_the_minute_ends_in_which_they_were_refused_first() -> None:
    script = ScriptedStream()
    script.begin(Scene.RISE, 20)
    for after, throttled in ((117, 0.0), (117.5, 0.0), (118.9, 0.17), (119.9, 0.17)):
        if after == 117:
            script.begin(Scene.THROTTLED, after)
        script.now = START * 60.0 + after
        assert script.accepted_and_throttled(1)[1] == pytest.approx(throttled, abs=0.05), after
    script.now = START * 60.0 + 120
    accepted, throttled = script.accepted_and_throttled(2)
    assert accepted > 1.1
    assert 0 < throttled < DEFAULT_TOLERANCE.share
    assert script.stream.open_shards == 2  # until the next scene


@pytest.mark.parametrize(
    ("throttled", "raised", "doubled"), [(115, 150, 150), (117, 118, 120), (61, 96, 120)]
)
def test_aws_returns_the_doubled_shards_once_all_accept_writes(
    throttled: int, raised: int, doubled: int
) -> None:
    script = ScriptedStream()
    script.begin(Scene.THROTTLED, throttled)
    script.begin(Scene.RAISED, raised)
    shards = []
    for after in (doubled - 1, doubled):
        script.now = START * 60.0 + after
        shards.append(script.stream.open_shards)
    assert shards == [2, 4]


@pytest.mark.parametrize("second", range(60))
def test_the_story_starts_soon_so_that_writes_are_refused_shortly_before_a_minute_ends(second: int) -> None:
    earliest = START * 60.0 + second
    start = story_start(earliest)
    refused_at = start + SCENES[Scene.THROTTLED].after
    least, most = REFUSED_BEFORE_MINUTE_END
    assert least <= -refused_at % 60 <= most
    assert 0 <= start - earliest <= 60 - (most - least)
    assert story_start(start) == start


def test_a_sale_of_the_same_hour_was_throttled_on_each_day_of_the_fortnight() -> None:
    stream = ScriptedStream().stream
    for day in range(1, 15):
        minutes = np.arange(-1440 * day, -1440 * day + 60)
        assert (stream.excess(minutes, 1.0)[0] > 0).sum() > 30
        assert stream.demand(minutes - 120).max() < 0.7
