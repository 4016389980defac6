"""Alerts as the pages show them: what fires, who takes care of it, what is muted."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.alerting import inhibit
from monitor.alerting.alarm import Alarm
from monitor.alerting.groups import urgency
from monitor.alerting.notice import Notice
from monitor.alerting.records import Ack, Silence
from monitor.alerting.silences import Silences


@dataclass(frozen=True, slots=True)
class Firing:
    """An alert that fires, and what was said of it. explained: the alert that explains it."""

    notice: Notice
    ack: Ack | None
    mute: Silence | None
    explained: Notice | None

    @property
    def has_page(self) -> bool:
        """Whether it is of a series, rather than of what is not seen."""
        return not inhibit.is_blind(self.notice)

    @property
    def open(self) -> bool:
        """Whether nobody has said anything of it, and nothing explains it."""
        return not (self.ack or self.mute or self.explained)


async def firing(alarm: Alarm) -> list[Firing]:
    """All that fires: what is open first, then the most urgent."""
    notices = [one for one in alarm.standing.values() if one.firing]
    return await asyncio.to_thread(_firing, notices, alarm.silences)


def _firing(notices: Sequence[Notice], silences: Silences) -> list[Firing]:
    now, explained = time.time(), inhibit.explained(notices)
    by_id = {one.alert: one for one in notices}
    found = [
        Firing(
            one,
            silences.acks.get(one.alert),
            silences.muting(one.labels, now),
            by_id.get(explained.get(one.alert, "")),
        )
        for one in sorted(notices, key=urgency)
    ]
    return sorted(found, key=lambda one: not one.open)
