"""The scenes of the demo's story, as data: a daily sale begins, and is larger today.

`monitor.demo.story_stream` simulates the stream that the sale is written to, and `monitor.demo.narrator`
prints the scenes.

CloudWatch counts by minutes of the clock, and an alert ends once a whole minute was within the limit. So the
story starts at such a second that writes are refused shortly before a minute ends (`story_start`), and are
within the new limit from the next minute on. The alert cannot end earlier than a minute and its delivery
after the first refused writes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scene(StrEnum):
    """A scene: a change in the simulated AWS, or Headroom's response to a change."""

    RISE = "rise"  # the sale begins, and demand rises
    FORESEEN = "foreseen"  # Headroom forecasts that the limit will be reached
    THROTTLED = "throttled"  # demand exceeds the limit
    NOTIFIED = "notified"  # Headroom notifies the receiver of the alert
    RAISED = "raised"  # AWS has doubled the shards, and so the limit
    RESOLVED = "resolved"  # Headroom notifies the receiver of the end of the alert


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """The time of a scene, and its text.

    after: the earliest time, in seconds from the start of the story; a scene also waits for the previous one.
    text: the line in the terminal. changes_aws: true if the scene changes the simulated AWS; false if it is
    only what Headroom does.
    """

    after: float
    text: str
    changes_aws: bool = False


SCENES: Mapping[Scene, SceneSettings] = {
    Scene.RISE: SceneSettings(20, "The evening's sale begins, and writes rise.", changes_aws=True),
    Scene.FORESEEN: SceneSettings(45, "Headroom foresees it, by the sales of the last fortnight:"),
    Scene.THROTTLED: SceneSettings(
        75, "More is written than the shards take, and an operator lets AWS double them:", changes_aws=True
    ),
    Scene.NOTIFIED: SceneSettings(90, "Headroom notifies the receiver:"),
    Scene.RAISED: SceneSettings(110, "AWS has doubled the shards:", changes_aws=True),
    Scene.RESOLVED: SceneSettings(
        125, "A whole minute was within the new limit; Headroom notifies the receiver again:"
    ),
}
# How many seconds before the end of a minute writes are refused at first: at least, so that Headroom sees
# them in that minute, and at most, so that the story is short.
REFUSED_BEFORE_MINUTE_END = 5.0, 8.0


def story_start(earliest: float) -> float:
    """Return the first epoch second from `earliest` on at which the story can start."""
    least, most = REFUSED_BEFORE_MINUTE_END
    before_minute_end = -(earliest + SCENES[Scene.THROTTLED].after) % 60
    wait = before_minute_end - most if before_minute_end >= least else before_minute_end + 60 - most
    return earliest + max(0.0, wait)


@dataclass(slots=True)
class BegunScenes:
    """The times at which scenes began, in epoch seconds. Written by one thread, and read by others."""

    times: dict[Scene, float] = field(default_factory=dict)

    def begin(self, scene: Scene, now: float) -> None:
        """Record that a scene begins now, unless it has begun before."""
        self.times.setdefault(scene, now)

    def begun_at(self, scene: Scene) -> float:
        """Return when a scene began; infinite if it has not begun."""
        return self.times.get(scene, math.inf)
