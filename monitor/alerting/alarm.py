"""The alarm: after each judgement, what became of all alerts, and who is told of it now.

What is remembered over a restart is in the journal's states, under keys that begin with what they are:
`alert/` the last notice of an alert, `life/` where the alerts of a series stand, `group/` what a receiver was
told, `judged` the last minute that was judged.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil

import msgspec

from monitor.alerting import blind, inhibit
from monitor.alerting.delivery import Delivery
from monitor.alerting.groups import Group, Standing, Turn, grouped, standings, step
from monitor.alerting.journal import Journal
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice import Kind, Notice
from monitor.alerting.records import Owed
from monitor.alerting.routes import Routed, Router
from monitor.alerting.silences import Silences
from monitor.alerting.tables import STATES
from monitor.alerting.writer import Writer
from monitor.config import Config
from monitor.fleet import Fleet
from monitor.snapshot import ActiveAlert
from monitor.status import Told
from rules.alerts import State

log = logging.getLogger(__name__)

BREATH = 50  # series written about before other tasks get their turn
SLACK = 2  # minutes that a poll may be late
LONGEST_SLEEP = 60.0  # seconds; the wall clock, which says what is due, may be set forward
ALERT, LIFE, GROUP, JUDGED = "alert/", "life/", "group/", "judged"

States = dict[str, bytes | None]


class Alarm:
    """All alerts of a fleet. standing: the last notice of each that fires, or whose end is to be told."""

    def __init__(
        self,
        fleet: Fleet,
        journal: Journal,
        delivery: Delivery,
        config: Config,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fleet, self._journal, self._delivery, self._now = fleet, journal, delivery, now
        kept = {state.key: state.value for state in journal.all(STATES).values()}
        began = int(kept.get(JUDGED, b"%d" % (now() // 60)))
        self.lifecycle = Lifecycle(fleet, began)
        self.writer = Writer(fleet, self.lifecycle, config, journal.number)
        self.silences = Silences(journal)
        self.standing = {alert: msgspec.json.decode(value, type=Notice) for alert, value in of(kept, ALERT)}
        groups = [msgspec.json.decode(value, type=Group) for _, value in of(kept, GROUP)]
        self.groups = {group.key: group for group in groups}
        self.wake = asyncio.Event()
        self._lives = {int(identity, 16): value for identity, value in of(kept, LIFE)}
        self._orphans = {alert for alert, one in self.standing.items() if not inhibit.is_blind(one)}
        self._since = now()
        self._due: float | None = None
        self._turning = asyncio.Lock()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take routes, receivers and texts of a configuration into use."""
        self.writer.config = config
        self.lifecycle.batch = ceil(config.interval / 60) + SLACK
        self._router = Router(config.route, [one.name for one in config.receivers], config.windows)
        self._keepalive = {one.name: one.keepalive for one in config.receivers if one.keepalive}
        self.wake.set()

    async def turn(self, told: Told, names: Mapping[str, str]) -> None:
        """After a judgement: note what became of alerts, tell whoever is due. names: of accounts, by id."""
        async with self._turning:
            now, self.writer.names = self._now(), dict(names)
            states: States = {JUDGED: b"%d" % (now // 60)}
            notices = [
                *self._left(states, told, now),
                *await self._judged(states, now),
                *self._blind(told, now),
            ]
            await self._tell(states, notices, now)
            await self.silences.expire(now, [one.alert for one in self.standing.values() if one.firing])

    def active(self) -> list[ActiveAlert]:
        """All alerts of series that are pending or fire, by the worst rule of each."""
        found = []
        for place in self.lifecycle.active().tolist():
            series = self._fleet.by_place[place]
            for state in (State.FIRING, State.PENDING) if series else ():
                if stands := self.writer.stands(series, state):
                    severity, _, since = stands
                    found.append(ActiveAlert(place, severity.value, int(state), since))
                    break
        return found

    async def run(self) -> None:
        """Tell what becomes due between judgements, until cancelled."""
        while True:
            self.wake.clear()
            async with self._turning:
                await self._tell({}, [], self._now())
            wait = LONGEST_SLEEP if self._due is None else self._due - self._now()
            try:
                async with asyncio.timeout(min(max(wait, 0.0), LONGEST_SLEEP)):
                    await self.wake.wait()
            except TimeoutError:
                pass

    def _left(self, states: States, told: Told, now: float) -> list[Notice]:
        """The alerts of series that left the fleet, also while nobody was here."""
        gone = self._fleet.release()
        self.lifecycle.forget(gone)
        left = {one.key.id for one in gone} | self._lost(told)
        states |= {LIFE + identity: None for identity in left}
        before = (self.standing.get(identity) for identity in left)
        return [self.writer.gone(one, now) for one in before if one and one.firing]

    def _lost(self, told: Told) -> set[str]:
        """Alerts from before the start whose series was not found where it should be."""
        seen = {
            (cell.account, cell.region, service)
            for cell in told.cells
            for service, outcome in cell.collectors.items()
            if outcome.succeeded
        }
        lost = set()
        for alert in tuple(self._orphans):
            one = self.standing.get(alert)
            if one is None or self._fleet.with_id(alert):
                self._orphans.discard(alert)
            elif tuple(one.labels[name] for name in inhibit.SCOPE) in seen:
                self._orphans.discard(alert)
                lost.add(alert)
        return lost

    async def _judged(self, states: States, now: float) -> list[Notice]:
        news = self._fleet.news()
        self._restore(news)
        became = self.lifecycle.advance(news)
        notices = []
        for n, place in enumerate(became.places.tolist()):
            series = self._fleet.by_place[place]
            before = self.standing.get(series.key.id) if series else None
            if series and (notice := self.writer.changed(series, before, place in became.relimited, now)):
                notices.append(notice)
            if n % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        saved = self.lifecycle.save(became.places)
        states |= {f"{LIFE}{self._fleet.id[place]:016x}": value for place, value in saved.items()}
        return notices

    def _restore(self, news: Iterable[int]) -> None:
        """Go on with the lives that the journal kept, as their series come back."""
        for place in news if self._lives else ():
            if saved := self._lives.pop(int(self._fleet.id[place]), None):
                self.lifecycle.restore(int(place), saved)

    def _blind(self, told: Told, now: float) -> list[Notice]:
        config, number = self.writer.config, self.writer.number
        sights = blind.sights(told, self._since, config.inventory_interval, config.interval)
        hidden = {one.alert: one for one in blind.blind(sights, now)}
        stand = {one.alert: one for one in self.standing.values() if inhibit.is_blind(one) and one.firing}
        begun = [blind.notice(hidden[one], number(), now) for one in hidden.keys() - stand]
        return begun + [blind.over(stand[one], number(), now) for one in stand.keys() - hidden]

    async def _tell(self, states: States, notices: Sequence[Notice], now: float) -> None:
        """Journal what became of alerts and who is told of it, in one transaction."""
        self.standing |= {one.alert: one for one in notices}
        states |= {ALERT + one.alert: msgspec.json.encode(one) for one in notices}
        asked = grouped(self._standings(now))
        turns = [(step(self.groups.get(key, Group(*key)), ones, now), ones) for key, ones in asked.items()]
        owed = [one for turn, _ in turns for one in self._owed(turn, now)]
        self._keep(states, turns)
        self._due = min((turn.due for turn, _ in turns if turn.due is not None), default=None)
        if states.keys() - {JUDGED} or owed:
            await self._delivery.tell(states, notices, owed)

    def _standings(self, now: float) -> list[Standing]:
        firing = [one for one in self.standing.values() if one.firing]
        explained = inhibit.explained(firing)
        telling: dict[str, list[Group]] = {}
        for group in self.groups.values():
            for alert in group.told:
                telling.setdefault(alert, []).append(group)
        found = []
        for alert, one in self.standing.items():
            routes = [self._kept_alive(routed) for routed in self._router.route(one.labels, now)]
            held = alert in explained or self.silences.muting(one.labels, now) is not None
            found += standings(one, routes, telling.get(alert, ()), held, self.silences.acked(alert))
        return [one._replace(acked=None) if one.routed.receiver in self._keepalive else one for one in found]

    def _kept_alive(self, routed: Routed) -> Routed:
        """Some receivers forget an alert that they are not told of again and again."""
        keepalive = self._keepalive.get(routed.receiver)
        return routed._replace(repeat_interval=keepalive) if keepalive else routed

    def _owed(self, turn: Turn, now: float) -> Iterable[Owed]:
        group = turn.group
        for notice in turn.tell:
            fresh = self._fresh(notice, now) if notice.kind is Kind.REPEATED else notice
            yield Owed(receiver=group.receiver, group=dict(group.labels), due=now, notice=fresh)

    def _fresh(self, notice: Notice, now: float) -> Notice:
        """A repeat tells how things are now."""
        series = self._fleet.with_id(notice.alert)
        if series is None:
            return msgspec.structs.replace(notice, number=self.writer.number(), at=now)
        return self.writer.again(series, notice, now)

    def _keep(self, states: States, turns: Iterable[tuple[Turn, Sequence[Standing]]]) -> None:
        """Remember what the groups told, and forget the alerts whose end nobody has still to be told."""
        awaited: set[str] = set()
        for turn, asked in turns:
            group, before = turn.group, self.groups.get(turn.group.key)
            awaited |= {one.notice.alert for one in asked} - set(turn.over)
            if group != before and (group.told or before):
                states[GROUP + name_of(group)] = msgspec.json.encode(group) if group.told else None
            if group.told:
                self.groups[group.key] = group
            else:
                self.groups.pop(group.key, None)
        for alert in [
            alert for alert, one in self.standing.items() if not one.firing and alert not in awaited
        ]:
            del self.standing[alert]
            states[ALERT + alert] = None


def name_of(group: Group) -> str:
    """A group's name in the journal."""
    return msgspec.json.encode(group.key).decode()


def of(kept: Mapping[str, bytes], kind: str) -> list[tuple[str, bytes]]:
    """What was kept of one kind, without the beginning that says so."""
    return [(key.removeprefix(kind), value) for key, value in kept.items() if key.startswith(kind)]
