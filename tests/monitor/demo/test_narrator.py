"""The demo's narrator on machines of any speed, which are simulated by a clock and a fleet."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from collectors.base import Metric, Observed, total
from monitor.demo.narrator import LIMIT_READ_INTERVAL, SERVICE, SIGNAL, Narrator
from monitor.demo.receiver import DemoReceiver, ReceivedNotification
from monitor.demo.scenes import SCENES, Scene
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.lib.schedule import LoopClock
from monitor.notifiers.webhook_body import Status
from rules.band import Zone
from tests.monitor.demo.notifications import notification
from tests.monitor.stream.fleets import MINUTE, SETTINGS

KEY = Key("123456789012", "us-east-1", SERVICE, SIGNAL, "sales")


@dataclass
class SlowHeadroom:
    """A fleet that shows each effect of a scene after a delay.

    delay: the seconds from a scene, or from one of its effects, to the next effect. begun_scenes: the scenes
    that began. effects: the time of each effect to come, in seconds, and a function that applies it.
    """

    delay: float
    now: float = 0.0
    fleet: Fleet = field(default_factory=Fleet)
    begun_scenes: list[Scene] = field(default_factory=list)
    effects: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.receiver = DemoReceiver(lambda: self.now)
        usage = total(Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName="sales"))
        observed = Observed(signal=SIGNAL, resource=KEY.subject, usage=usage)
        self.fleet.put(KEY, observed, SETTINGS, MINUTE)
        self.slot = self.fleet.series[KEY].slot
        self.limit = 2.0
        self.fleet.limit[self.slot] = self.limit

    async def sleep(self, seconds: float) -> None:
        """Advance the clock, and apply the effects that are due."""
        self.now += seconds
        due_effects = [effect for due_at, effect in self.effects if due_at <= self.now]
        self.effects = [(due_at, effect) for due_at, effect in self.effects if due_at > self.now]
        for apply_effect in due_effects:
            apply_effect()

    async def begin(self, scene: Scene) -> None:
        """Begin a scene, and schedule its effects."""
        self.begun_scenes.append(scene)
        effect_by_scene = {Scene.RISE: self._rise, Scene.THROTTLED: self._throttle, Scene.RAISED: self._raise}
        self.effects.append((self.now + self.delay, effect_by_scene[scene]))

    def _rise(self) -> None:
        self.fleet.utilization[self.slot] = 0.9
        self.effects.append((self.now + self.delay, self._forecast))

    def _forecast(self) -> None:
        self.fleet.reach_probability[self.slot] = 0.9
        self.fleet.reach_minutes[self.slot] = int(self.now // 60) + 4
        self.fleet.history_bins[self.slot] = 14 * 96  # the quarters of an hour of a fortnight

    def _throttle(self) -> None:
        ended_forecast = notification("Not forecast", status="resolved", labels=KEY.labels, alert_id="2")
        self.receiver.received.appendleft(ReceivedNotification(self.now, ended_forecast))
        self.fleet.zone[self.slot] = Zone.SATURATED
        self.effects.append((self.now + self.delay, lambda: self._receive("It is throttled", "firing")))

    def _raise(self) -> None:
        self.limit = 4.0  # the fleet has this limit after `read_limit`

    def read_limit(self, key: Key) -> None:
        """Read the limit as AWS returns it; the alert ends when a raised limit is read."""
        if key != KEY or self.fleet.limit[self.slot] == self.limit:
            return
        self.fleet.limit[self.slot] = self.limit
        self.effects.append((self.now + self.delay, lambda: self._receive("It has ended", "resolved")))

    def _receive(self, summary: str, status: Status) -> None:
        data = notification(summary, status=status, labels=KEY.labels)
        self.receiver.received.appendleft(ReceivedNotification(self.now, data))


@pytest.mark.parametrize("delay", [0.0, 5.0, 400.0])
async def test_the_scenes_are_told_in_order_however_long_headroom_takes_to_see_them(delay: float) -> None:
    headroom, out = SlowHeadroom(delay), io.StringIO()
    narrator = Narrator(
        headroom.fleet,
        "sales",
        headroom.receiver,
        headroom.begin,
        headroom.read_limit,
        out,
        LoopClock(lambda: headroom.now, headroom.sleep),
        started=0.0,
    )
    await narrator.tell()
    assert headroom.begun_scenes == [scene for scene in SCENES if SCENES[scene].changes_aws]
    assert [*narrator.seen] == [*SCENES]
    times = np.array([*narrator.seen.values()])
    assert (times >= [settings.after for settings in SCENES.values()]).all()
    assert (np.diff(times) >= 0).all()
    text = out.getvalue()
    excerpts = (
        "The story started at 00:00:00 UTC",
        "90 %",
        "reaches the limit in 4 min, 90 %",
        "It is throttled",
        "instead of",
        "It has ended",
    )
    assert "Not forecast" not in text
    positions = [text.index(excerpt) for excerpt in excerpts]
    assert positions == sorted(positions)
    if not delay:
        latest_times = [settings.after + LIMIT_READ_INTERVAL + 1 for settings in SCENES.values()]
        assert (times <= latest_times).all()
