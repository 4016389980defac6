"""The alarm: after each judgement, what became of all alerts, and who is told of it now.

What is remembered over a restart is in the journal's states, under keys that begin with what they are:
`alert/` the last notice of an alert, `life/` where the alerts of a series stand, `group/` what a receiver was
told, `judged` the last minute that was judged.

A turn may be cancelled wherever it waits, or fail: what it found is kept, and the next one goes on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import NamedTuple

import msgspec
import numpy as np

from monitor.alerting import blind, inhibit
from monitor.alerting.breath import batches, unhurried
from monitor.alerting.delivery import Delivery
from monitor.alerting.groups import Group
from monitor.alerting.journal import Journal
from monitor.alerting.lifecycle import Lifecycle
from monitor.alerting.notice import Kind, Notice
from monitor.alerting.records import Owed
from monitor.alerting.routes import Router
from monitor.alerting.silences import Silences
from monitor.alerting.tables import STATES
from monitor.alerting.telling import Asked, Scene
from monitor.alerting.trend import Trend
from monitor.alerting.writer import Writer, key_of
from monitor.columns import Ints
from monitor.config import Config
from monitor.fleet import Fleet
from monitor.snapshot import ActiveAlert
from monitor.status import Told
from rules.alerts import Rule, Severity, State

PART = 2048  # series judged at a time
SLACK = 2  # minutes that a poll may be late
LONGEST_SLEEP = 60.0  # seconds; the wall clock, which says what is due, may be set forward
SHORTEST_SLEEP = 0.5  # seconds; what becomes due meanwhile is told together
ALERT, LIFE, GROUP, JUDGED = "alert/", "life/", "group/", "judged"


class Shown(NamedTuple):
    """What is exported of a series: the alert's id, and its worst rule that fires, else that is pending."""

    alert: str
    rule: Rule
    severity: Severity
    state: State


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
        self._fleet, self._delivery, self._now = fleet, delivery, now
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
        self._restored = -1  # the fleet's version when it was last asked for their series
        self._orphans = {alert for alert, one in self.standing.items() if not inhibit.is_blind(one)}
        self._shown: dict[int, Shown] = {}  # by place
        self._news: Ints = np.empty(0, np.int32)  # places yet to be judged
        self._changed: dict[int, None] = {}  # places whose alerts may have changed, in order
        self._states: dict[str, bytes | None] = {}  # yet to be journalled, as are the notices
        self._notices: list[Notice] = []
        self._due: float | None = None
        self._turning = asyncio.Lock()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take routes, receivers and texts of a configuration into use."""
        self.writer.config = config
        self.lifecycle.batch = ceil(config.interval / 60) + SLACK
        self._router = Router(config.route, [one.name for one in config.receivers], config.windows)
        self._keepalive = {one.name: one.keepalive for one in config.receivers if one.keepalive}
        self._watched = {service for account in config.watched() for service in account.services}
        self._since = self._now()  # whoever watches begins anew, too
        self._renewed = True
        self.wake.set()

    async def turn(self, told: Told, names: Mapping[str, str]) -> None:
        """After a judgement: note what became of alerts, tell whoever is due. names: of accounts, by id."""
        async with self._turning:
            now = self._now()
            self._call(names)
            self._leave(told, now)
            await self._advance(told)
            await self._write(now)
            self._look(told, now)
            await self._tell(now)
            await self.silences.expire(now, [one.alert for one in self.standing.values() if one.firing])

    def active(self) -> list[ActiveAlert]:
        """All alerts of series that are pending or fire, by the worst rule of each."""
        return [
            ActiveAlert(place, one.severity.value, int(one.state), self._began(place, one))
            for place, one in self._shown.items()
        ]

    async def run(self) -> None:
        """Tell what becomes due between judgements, until cancelled."""
        while True:
            self.wake.clear()
            async with self._turning:
                await self._tell(self._now())
            wait = LONGEST_SLEEP if self._due is None else self._due - self._now()
            try:
                async with asyncio.timeout(min(max(wait, SHORTEST_SLEEP), LONGEST_SLEEP)):
                    await self.wake.wait()
            except TimeoutError:
                pass

    def _began(self, place: int, one: Shown) -> int:
        notice = self.standing.get(one.alert) if one.state is State.FIRING else None
        return int(notice.since) if notice else self.lifecycle.since(place, one.rule) * 60

    def _note(self, notice: Notice) -> None:
        self.standing[notice.alert] = notice
        self._notices.append(notice)
        self._states[ALERT + notice.alert] = msgspec.json.encode(notice)

    def _call(self, names: Mapping[str, str]) -> None:
        """What accounts are called decides about overrides, too."""
        self._renewed |= names != self.writer.names
        self.writer.names = dict(names)

    def _leave(self, told: Told, now: float) -> None:
        """End the alerts of series that left the fleet, also while nobody was here."""
        gone = self._fleet.release()
        self.lifecycle.forget(gone)
        for one in gone:
            self._shown.pop(one.place, None)
        for alert in [*(one.key.id for one in gone), *self._lost(told)]:
            self._states[LIFE + alert] = None
            self._lives.pop(int(alert, 16), None)
            before = self.standing.get(alert)
            if before and before.firing:
                self._note(self.writer.gone(before, now))

    def _lost(self, told: Told) -> list[str]:
        """Alerts from before the start whose series was not found where it should be, or is not watched."""
        lost = []
        for alert in tuple(self._orphans):
            one = self.standing.get(alert)
            if one is None or key_of(one) in self._fleet.series:
                self._orphans.discard(alert)
            elif told.has_seen(one.labels) or told.ignores(one.labels, self._watched):
                self._orphans.discard(alert)
                lost.append(alert)
        return lost

    async def _advance(self, told: Told) -> None:
        """Judge what has news, part by part."""
        self._news = np.union1d(self._news, self._fleet.news()).astype(np.int32)
        await self._restore(told)
        self._became(self.lifecycle.relimit())
        while self._news.size:
            part, self._news = self._news[:PART], self._news[PART:]
            self._became(self.lifecycle.advance(part))
            await asyncio.sleep(0)

    def _became(self, places: Ints) -> None:
        """The alerts of series changed state."""
        self._changed |= dict.fromkeys(places.tolist())
        for place, saved in self.lifecycle.save(places).items():
            if series := self._fleet.by_place[place]:
                self._states[LIFE + series.key.id] = saved

    async def _restore(self, told: Told) -> None:
        """Go on with the lives that the journal kept, as their series come back."""
        if not self._lives or (self._restored == self._fleet.version and not told.all_seen):
            return
        self._restored = self._fleet.version
        kept = np.array(sorted(self._lives), np.uint64)
        identities = self._fleet.id[: self._fleet.size]
        nearest = kept[np.minimum(np.searchsorted(kept, identities), kept.size - 1)]
        async for place in unhurried(np.flatnonzero(nearest == identities).tolist()):
            if saved := self._lives.pop(int(self._fleet.id[place]), None):
                self.lifecycle.restore(place, saved)
                self._changed[place] = None
        if told.all_seen:
            self._states |= {f"{LIFE}{identity:016x}": None for identity in self._lives}
            self._lives.clear()

    async def _write(self, now: float) -> None:
        """Write the notices of what became of series, and keep what is exported of them."""
        if self._renewed:
            standing = (self._fleet.series.get(key_of(one)) for one in self._of_series())
            self._changed |= {series.place: None for series in standing if series}
            self._changed |= dict.fromkeys(self.lifecycle.active().tolist())
            self._renewed = False
        for part in batches(self._changed):
            trends = self.writer.trends(self.lifecycle.firing(np.array(part, np.int32)))
            async for place in unhurried(part):
                self._look_at(place, now, trends.get(place))
                del self._changed[place]

    def _of_series(self) -> list[Notice]:
        return [one for one in self.standing.values() if not inhibit.is_blind(one)]

    def _look_at(self, place: int, now: float, trend: Trend | None) -> None:
        series = self._fleet.by_place[place]
        self._shown.pop(place, None)
        if series is None:
            return
        stands, state = self.writer.stands(series, State.FIRING), State.FIRING
        if notice := self.writer.changed(series, self.standing.get(series.key.id), stands, now, trend):
            self._note(notice)
        if not stands:
            stands, state = self.writer.stands(series, State.PENDING), State.PENDING
        if stands:
            self._shown[place] = Shown(series.key.id, stands.rule, stands.severity, state)

    def _look(self, told: Told, now: float) -> None:
        """Note what is not seen, and what is seen again."""
        config, number = self.writer.config, self.writer.number
        sights = list(blind.sights(told, self._since, config.inventory_interval, config.interval))
        hidden = {one.alert: one for one in blind.blind(sights, now)}
        stand = {one.alert: one for one in self.standing.values() if inhibit.is_blind(one) and one.firing}
        for alert in hidden.keys() - stand:
            self._note(blind.notice(hidden[alert], number(), now))
        for one in () if told.waited_for else blind.ended(stand.values(), sights, hidden):
            self._note(blind.over(one, sights, number(), now))

    async def _tell(self, now: float) -> None:
        """Journal what became of alerts and who is told of it, in one transaction."""
        scene = Scene(
            standing=dict(self.standing),
            groups=dict(self.groups),
            router=self._router,
            keepalive=self._keepalive,
            silences=self.silences,
            now=now,
        )
        asked = await asyncio.to_thread(scene.asked)
        owed = await self._owed(asked, now)
        self._keep(asked)
        self._due = min((one.turn.due for one in asked if one.turn.due is not None), default=None)
        states, notices = self._states, self._notices
        self._states, self._notices = {}, []
        if states or owed:
            await self._delivery.tell(states | {JUDGED: b"%d" % (now // 60)}, notices, owed)

    async def _owed(self, asked: Iterable[Asked], now: float) -> list[Owed]:
        owed = []
        for part in batches((turn.group, notice) for turn, _ in asked for notice in turn.tell):
            trends = self.writer.trends_of(notice for _, notice in part if notice.kind is Kind.REPEATED)
            async for group, notice in unhurried(part):
                repeated = notice.kind is Kind.REPEATED
                fresh = self.writer.again(notice, now, trends) if repeated else notice
                owed.append(Owed(receiver=group.receiver, group=dict(group.labels), due=now, notice=fresh))
        return owed

    def _keep(self, asked: Iterable[Asked]) -> None:
        """Remember what the groups told, and forget the alerts whose end nobody has still to be told."""
        awaited: set[str] = set()
        for turn, ones in asked:
            group, before = turn.group, self.groups.get(turn.group.key)
            awaited |= {one.notice.alert for one in ones} - set(turn.over)
            if group != before and (group.told or before):
                self._states[GROUP + name_of(group)] = msgspec.json.encode(group) if group.told else None
            if group.told:
                self.groups[group.key] = group
            else:
                self.groups.pop(group.key, None)
        ended = [alert for alert, one in self.standing.items() if not one.firing and alert not in awaited]
        for alert in ended:
            del self.standing[alert]
            self._states[ALERT + alert] = None


def name_of(group: Group) -> str:
    """A group's name in the journal."""
    return msgspec.json.encode(group.key).decode()


def of(kept: Mapping[str, bytes], kind: str) -> list[tuple[str, bytes]]:
    """What was kept of one kind, without the beginning that says so."""
    return [(key.removeprefix(kind), value) for key, value in kept.items() if key.startswith(kind)]
