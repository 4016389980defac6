"""The slow look at a cell: run collectors, register what they find with its limit, forget what is gone."""

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from collectors import quotas
from collectors.base import Collector, Observed, Part
from monitor.aws import Cell, Failure, Look, failure
from monitor.config import Config
from monitor.fleet import Fleet, Key, Ruling
from monitor.selector import Labels
from monitor.text import encodable
from rules.limits import Kind, Limit, Quota, Signal, Source, catalogue, in_force

BREATH = 100  # series registered before other tasks get their turn
TRUER = (Source.OVERRIDE, Source.API)  # than what an API told some time ago


@dataclass(slots=True)
class Outcome:
    """How a collector fared in a cell; times are epoch seconds, None: never."""

    attempted: float | None = None
    succeeded: float | None = None
    failures: Sequence[Failure] = ()


@dataclass(slots=True)
class Found:
    """What one part found: the series, and the resources that it could not ask about.

    finder: the collector's service and the part. at: when the part began to look, epoch seconds. rulings:
    those given so far; one object serves all that are equal, of a hundred thousand series.
    """

    finder: tuple[str, str]
    at: float
    failures: list[Failure]
    keys: set[Key] = field(default_factory=set)
    rulings: dict[object, Ruling] = field(default_factory=dict)
    ended: bool = False

    def missed(self, key: Key) -> bool:
        """Whether the part could not look at a series, so that not finding it says nothing."""
        names = {one.item for one in self.failures if one.item}
        parents = (key.resource[:end] for end in range(len(key.resource)) if key.resource[end] == "/")
        return not self.ended or key.resource in names or any(parent in names for parent in parents)


class Inventory:
    """What a cell holds. `known` says which collector and part found each series at the last look."""

    def __init__(self, cell: Cell, fleet: Fleet, config: Config, account_name: str = "") -> None:
        self.cell, self._fleet, self._config, self.account_name = cell, fleet, config, account_name
        self.outcomes: dict[str, Outcome] = {}
        self.known: dict[Key, tuple[str, str]] = {}
        self._quotas: dict[Quota | None, tuple[quotas.Values, float]] = {}  # and when they were read

    async def look(self, collector: Collector) -> Outcome:
        """Run a collector: register what its parts find, forget what they no longer do. Never raises for AWS.

        A part that fails keeps the series that it found before; so does one resource that cannot be asked
        about. Until then they are judged by the limit last read.
        """
        outcome = self.outcomes.setdefault(collector.service, Outcome())
        outcome.attempted = time.time()
        failures = await self._read_quotas(collector.service)
        found = await asyncio.gather(*(self._run(collector, part) for part in collector.parts))
        for part, seen in zip(collector.parts, found, strict=True):
            self._forget(collector.service, part, seen)
            failures += seen.failures
        outcome.failures = tuple(failures)
        if not failures:
            outcome.succeeded = time.time()
            labels = (*self.cell.key, collector.service)
            self.cell.telemetry.inventory_time.labels(*labels).set(outcome.succeeded)
        return outcome

    async def _read_quotas(self, service: str) -> list[Failure]:
        wanted = {signal.quota for signal in catalogue()[service].signals.values() if signal.quota}
        look = Look(self.cell)
        now = time.time()
        self._quotas |= {quota: (told, now) for quota, told in (await quotas.read(look, wanted)).items()}
        return look.failures

    async def _run(self, collector: Collector, part: Part) -> Found:
        look = Look(self.cell)
        found = Found((collector.service, part.__name__), time.time(), look.failures)
        try:
            async for observed in part(look):
                if key := self._register(collector, observed, found):
                    found.keys.add(key)
                if len(found.keys) % BREATH == 0:
                    await asyncio.sleep(0)
            found.ended = True
        except Exception as error:  # of AWS or of an answer nobody foresaw: it costs this part only
            found.failures.append(failure(error))
        return found

    def _register(self, collector: Collector, observed: Observed, found: Found) -> Key | None:
        key = Key(*self.cell.key, collector.service, observed.signal, encodable(observed.resource))
        labels = Labels(*key, account_name=self.account_name)
        if self._config.excludes(labels):
            return None
        ruling = self._ruling(collector, key, observed, found)
        self._fleet.put(key, observed, ruling, int(time.time() // 60))
        self.known[key] = found.finder
        return key

    def _ruling(self, collector: Collector, key: Key, observed: Observed, found: Found) -> Ruling:
        labels = Labels(*key, account_name=self.account_name)
        signal = catalogue()[key.service].signals[key.signal]
        told = isinstance(observed.usage, float | int)
        interval = self._config.inventory_interval if told else self._config.interval
        hold, keep = (self._config.alert_of(labels, name) for name in ("hold", "keep_firing_for"))
        ruling = Ruling(
            limit=self._limit(key, signal, observed, found),
            band=self._config.band_of(labels, signal.band),
            delay=collector.delay,
            stale_after=stale_after(interval, collector.delay),
            hold=signal.hold if hold is None else hold // 60,
            keep_firing_for=None if keep is None else keep // 60,
            paid=signal.kind is Kind.PROVISIONED,
            tags={
                label: observed.tags[tag]
                for tag, label in self._config.tag_labels.items()
                if tag in observed.tags
            },
        )
        return found.rulings.setdefault(ruling.content, ruling)

    def _limit(self, key: Key, signal: Signal, observed: Observed, found: Found) -> Limit | None:
        """The limit in force; while a call of the part fails, what an API told last outranks defaults."""
        quota, read_at = self._quotas.get(signal.quota, ({}, found.at))
        candidates = {
            Source.OVERRIDE: self._config.limit_of(Labels(*key, account_name=self.account_name)),
            Source.API: observed.limit,
            **quota,
            Source.DOCUMENTED: signal.documented(key.region),
        }
        limit, before = in_force(candidates, found.at), self._fleet.series.get(key)
        last = before.ruling.limit if before else None
        api_was = last and last.source is Source.API and not (limit and limit.source in TRUER)
        if api_was and any(not one.item for one in found.failures):
            return last
        return replace(limit, read_at=read_at) if limit and limit.source in quota else limit

    def _forget(self, service: str, part: Part, found: Found) -> None:
        mine = [key for key, finder in self.known.items() if finder == (service, part.__name__)]
        for key in mine:
            if key not in found.keys and not found.missed(key):
                del self.known[key]
                self._fleet.drop(key)


def stale_after(interval: float, delay: int) -> int:
    """For how many minutes a sample counts, when the metrics are read every `interval` seconds.

    One turn may fail; a quarter of an hour is always allowed, as EC2's basic monitoring has a point in five.
    """
    return max(15, delay + 2 + 2 * math.ceil(interval / 60))
