"""The scenes of the demo's story, as data: a daily sale begins, and is larger today.

`monitor.demo.story_stream` simulates the stream that the sale is written to, and `monitor.demo.narrator`
prints the scenes.
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
    RAISED = "raised"  # the shards are doubled, and so is the limit
    RESOLVED = "resolved"  # Headroom notifies the receiver of the end of the alert


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """The time of a scene, and its text.

    after: the earliest time, in seconds from the start of the demo; a scene also waits for the previous one.
    text: the line in the terminal. is_change: true if something changes in the simulated AWS.
    """

    after: float
    text: str
    is_change: bool = False


SCENES: Mapping[Scene, SceneSettings] = {
    Scene.RISE: SceneSettings(20, "The evening's sale begins, and writes rise.", is_change=True),
    Scene.FORESEEN: SceneSettings(45, "Headroom foresees it, by the sales of the last fortnight:"),
    Scene.THROTTLED: SceneSettings(75, "More is written than the shards take:", is_change=True),
    Scene.NOTIFIED: SceneSettings(90, "Headroom notifies the receiver:"),
    Scene.RAISED: SceneSettings(
        110, "The shards are doubled; Headroom reads that when AWS is done:", is_change=True
    ),
    Scene.RESOLVED: SceneSettings(
        130, "Usage is within the new limit; Headroom notifies the receiver again:"
    ),
}


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
