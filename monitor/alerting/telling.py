"""Who is told of what stands, at one moment: a pure function of all that decides it, fit for a thread."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitor.alerting import inhibit
from monitor.alerting.groups import Group, Key, Standing, Turn, grouped, standings, step
from monitor.alerting.notice import Notice
from monitor.alerting.routes import Routed, Router
from monitor.alerting.silences import Silences


class Asked(NamedTuple):
    """What one step of a group gave, and the alerts that it was asked about."""

    turn: Turn
    standings: Sequence[Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything at one moment: the last notice of each alert, and what each receiver was told.

    keepalive: of the receivers that forget an alert unless told again, after how many seconds.
    """

    standing: Mapping[str, Notice]
    groups: Mapping[Key, Group]
    router: Router
    keepalive: Mapping[str, float]
    silences: Silences
    now: float

    def asked(self) -> list[Asked]:
        """A step of each group."""
        groups = grouped(self._standings()).items()
        return [Asked(step(self.groups.get(key, Group(*key)), ones, self.now), ones) for key, ones in groups]

    def _standings(self) -> Iterator[Standing]:
        explained = inhibit.explained(one for one in self.standing.values() if one.firing)
        telling: dict[str, list[Group]] = {}
        for group in self.groups.values():
            for alert in group.told:
                telling.setdefault(alert, []).append(group)
        for alert, one in self.standing.items():
            routes = [self._kept_alive(routed) for routed in self.router.route(one.labels, self.now)]
            held = alert in explained or self.silences.muting(one.labels, self.now) is not None
            acked = self.silences.acked(alert, self.now)
            for standing in standings(one, routes, telling.get(alert, ()), held, acked):
                forgetful = standing.routed.receiver in self.keepalive
                yield standing._replace(acked=None) if forgetful else standing

    def _kept_alive(self, routed: Routed) -> Routed:
        """Some receivers forget an alert that they are not told of again and again."""
        keepalive = self.keepalive.get(routed.receiver)
        return routed._replace(repeat_interval=keepalive) if keepalive else routed
