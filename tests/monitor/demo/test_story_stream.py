"""Tests of the demo's story stream, minute by minute, as scenes begin."""

from dataclasses import dataclass, field

import numpy as np

from monitor.demo.scenes import SCENES, BegunScenes, Scene
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
        """Return accepted and throttled demand as shares of the unraised limit. minute: since START."""
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
    assert throttled < DEFAULT_TOLERANCE.share


def test_aws_returns_the_doubled_shards_once_a_whole_minute_of_doubled_shards_was_streamed() -> None:
    script = ScriptedStream()
    script.begin(Scene.RAISED, 110)
    shards = {}
    for after in (110, 170, 180, 189, 190, 600):
        script.now = START * 60.0 + after
        shards[after] = script.stream.open_shards
    assert shards == {110: 2, 170: 2, 180: 2, 189: 2, 190: 4, 600: 4}


def test_demand_falls_from_minute_to_minute_after_the_shards_are_doubled() -> None:
    script = ScriptedStream()
    script.begin(Scene.RISE, 20)
    script.begin(Scene.THROTTLED, 75)
    script.begin(Scene.RAISED, 110)
    script.now += 600
    minutes = np.arange(2, 8)
    for values in (script.stream.accepted(minutes)[0], script.stream.excess(minutes, 1.0)[0]):
        assert (np.diff(values) < 0).all()
        assert (values > 0).all()
    # Reads, whose limit is twice as high, are not refused.
    assert (script.stream.excess(minutes, 2.0) == 0).all()


def test_throttled_demand_is_tolerable_in_a_minute_that_begins_with_doubled_shards() -> None:
    script = ScriptedStream()
    script.begin(Scene.RISE, 20)
    script.begin(Scene.THROTTLED, 75)
    script.begin(Scene.RAISED, 120)
    script.now += 30
    assert script.accepted_and_throttled(1)[1] > 0.1
    assert 0 < script.accepted_and_throttled(2)[1] < DEFAULT_TOLERANCE.share


def test_a_sale_of_the_same_hour_was_throttled_on_each_day_of_the_fortnight() -> None:
    stream = ScriptedStream().stream
    for day in range(1, 15):
        minutes = np.arange(-1440 * day, -1440 * day + 60)
        assert (stream.excess(minutes, 1.0)[0] > 0).sum() > 30
        assert stream.demand(minutes - 120).max() < 0.7
