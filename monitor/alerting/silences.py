"""What people said of alerts: mutes, which expire by themselves, and acknowledgements."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from uuid import uuid4

from msgspec.structs import replace

from monitor.alerting.matchers import Matcher, match, parse
from monitor.alerting.notice import Severity
from monitor.alerting.records import Ack, Silence
from monitor.alerting.tables import ACKS, SILENCES, Key, Row, Table

MOST = 1000  # mutes at once
LONGEST = 1000  # characters of who and why
LONGEST_MUTE = 366 * 86400.0  # seconds; what is to be left alone for good belongs into the configuration


class Refused(ValueError):
    """Why something said of an alert is not accepted, as a sentence without a capital."""


class Store(Protocol):
    """Where silences and acknowledgements survive a restart: a Journal."""

    def all(self, table: Table[Row]) -> Mapping[Key, Row]: ...

    def put(self, table: Table[Row], row: Row) -> Awaitable[None]: ...

    def remove(self, table: Table[Row], key: Key) -> Awaitable[None]: ...


class Silences:
    """Mutes and acknowledgements, in the store before they count. Times are epoch seconds.

    Raises MatcherError when a stored matcher is wrong.
    """

    def __init__(self, store: Store, new_id: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._store, self._new_id = store, new_id
        self._mutes = {one.id: (one, _parsed(one.matchers)) for one in store.all(SILENCES).values()}
        self._acks = {one.alert: one for one in store.all(ACKS).values()}
        self._writing = asyncio.Lock()

    @property
    def mutes(self) -> list[Silence]:
        """All mutes that are not over, those that end first first."""
        return sorted((one for one, _ in self._mutes.values()), key=lambda one: (one.ends, one.id))

    @property
    def acks(self) -> Mapping[str, Ack]:
        """The acknowledgements by alert."""
        return self._acks

    def muting(self, labels: Mapping[str, str], at: float) -> Silence | None:
        """The mute that keeps an alert of these labels from being told at `at`; of several, any.

        Any thread may ask.
        """
        return next(
            (
                one
                for one, matchers in tuple(self._mutes.values())
                if one.starts <= at < one.ends and match(matchers, labels)
            ),
            None,
        )

    def acked(self, alert: str, at: float) -> Severity | None:
        """The severity up to which somebody takes care of an alert at `at`. Any thread may ask."""
        ack = self._acks.get(alert)
        return ack.severity if ack and ack.lasts(at) else None

    async def mute(self, asked: Silence, now: float) -> Silence:
        """Mute what matches; the id is given here. Raises Refused, or MatcherError with the column."""
        matchers = _parsed(asked.matchers)
        _check_mute(matchers, asked.starts, asked.ends, now)
        said = {"who": _said("who", asked.who), "why": _said("why", asked.why)}
        silence = replace(asked, id=self._new_id(), matchers=tuple(map(str, matchers)), **said)
        async with self._writing:
            if len(self._mutes) >= MOST:
                raise Refused(f"there are {MOST} mutes already; remove some, or use wider matchers")
            await self._store.put(SILENCES, silence)
            self._mutes[silence.id] = silence, matchers
        return silence

    async def unmute(self, identity: str) -> Silence:
        """End a mute. Raises KeyError when there is none."""
        async with self._writing:
            silence, _ = self._mutes[identity]
            await self._store.remove(SILENCES, identity)
            del self._mutes[identity]
        return silence

    async def acknowledge(self, asked: Ack) -> Ack:
        """Somebody takes care of an alert as bad as it is now. Raises Refused."""
        ack = replace(asked, who=_said("who", asked.who), why=_said("why", asked.why))
        if not ack.lasts(ack.at):
            raise Refused("expected an end that is later than now")
        async with self._writing:
            await self._store.put(ACKS, ack)
            self._acks[ack.alert] = ack
        return ack

    async def expire(self, now: float, firing: Iterable[str]) -> None:
        """Forget the mutes and acknowledgements that are over, and those of alerts that fire no longer."""
        async with self._writing:
            for identity in [one.id for one, _ in self._mutes.values() if one.ends <= now]:
                await self._store.remove(SILENCES, identity)
                del self._mutes[identity]
            lasting = {alert for alert in firing if alert in self._acks and self._acks[alert].lasts(now)}
            for alert in self._acks.keys() - lasting:
                await self._store.remove(ACKS, alert)
                del self._acks[alert]


def _parsed(texts: Iterable[str]) -> tuple[Matcher, ...]:
    return tuple(matcher for text in texts for matcher in parse(text))


def _check_mute(matchers: Iterable[Matcher], starts: float, ends: float, now: float) -> None:
    if all(matcher.matches({}) for matcher in matchers):
        raise Refused("expected a matcher that does not match everything, found none")
    if not ends > max(starts, now):
        raise Refused("expected an end that is later than the start and than now")
    if ends - max(starts, now) > LONGEST_MUTE:
        raise Refused("expected a mute of at most a year; `exclude` in the configuration is for good")


def _said(what: str, text: str) -> str:
    """`who` or `why`, on one line."""
    said = " ".join(text.split())
    if not said or len(said) > LONGEST:
        raise Refused(f"expected {what}, as text of 1 to {LONGEST} characters, found {len(said)}")
    return said
