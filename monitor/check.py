"""`headroom check`: one full read of everything, judged once."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from monitor.config import Config
from monitor.config_errors import ConfigError, lines, problems_in
from monitor.course import Course
from monitor.fleet import Fleet, Key
from monitor.judge import judge
from monitor.report import Report
from monitor.rows import rows_of
from monitor.selector import Labels, Selector
from monitor.telemetry import Telemetry
from monitor.watch import Watch
from monitor.web.cost import Measured, measured
from rules.limits import signals

Wanted = Callable[[Key], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look(Report):
    """One full read: what it found, when it ended (epoch seconds), where it looked, and what that costs.

    cells: account, region, and what the account is called. metrics: requested of GetMetricData.
    """

    course: Callable[[Key], Course]
    at: float
    cells: Sequence[tuple[str, str, str]]
    metrics: int
    dollars: float


def selectors(only: Mapping[str, Sequence[str] | None]) -> list[list[Selector]]:
    """What is asked for: for each label of `only` that has patterns, those of which one must fit.

    They are patterns as in the configuration: a signal may have its service before it, an account may be
    called by its name. Raises ConfigError.
    """
    given = {label: patterns for label, patterns in only.items() if patterns}
    try:
        return [
            [Selector.model_validate({label: pattern}) for pattern in patterns]
            for label, patterns in given.items()
        ]
    except ValidationError as error:
        raise ConfigError(lines("headroom", problems_in(error, Selector))) from None


def chosen(config: Config, asked: Iterable[Iterable[Selector]]) -> Wanted:
    """Whether a series is asked for."""
    names = {account.id: account.name or "" for account in config.watched()}

    def wanted(key: Key) -> bool:
        name = names.get(key.account, names.get(None, ""))  # of one entry at most, AWS has to tell the id
        labels = Labels(*key, account_name=name)
        return all(any(selector.matches(labels) for selector in some) for some in asked)

    return wanted


def narrowed(config: Config, asked: Iterable[Iterable[Selector]]) -> Config:
    """The configuration without the services of which nothing is asked for: looking at them costs money.

    Raises ConfigError when nothing is left.
    """
    concerned = {
        signal.service
        for signal in signals()
        if all(any(one.concerns(signal.service, signal.name) for one in some) for some in asked)
    }
    accounts = [
        account.model_copy(update={"services": tuple(one for one in account.services if one in concerned)})
        for account in config.watched()
    ]
    left = tuple(account for account in accounts if account.services)
    if not left:
        raise ConfigError(["headroom: expected what is asked for to be configured, found no service that is"])
    return config.model_copy(update={"accounts": left})


async def check(config: Config, wanted: Wanted, tell: Callable[[int, int], None]) -> Look:
    """Look, read and judge once; `tell(done, steps)` is called as it goes on. Never raises for AWS."""
    fleet, telemetry = Fleet(), Telemetry()
    watch = Watch(config, fleet, telemetry)
    try:
        await watch.once(tell)
    finally:
        await watch.close()
    at = time.time()
    now = int(at // 60)
    judge(fleet, now)
    spent = sum(measured(telemetry).values(), Measured())
    return Look(
        rows=rows_of(fleet, wanted),
        failures=watch.sentences(),
        course=lambda key: Course.of(fleet, fleet.series[key], now),
        at=at,
        cells=[(*key, cell.inventory.account_name) for key, cell in sorted(watch.cells.items())],
        metrics=int(spent.requested),
        dollars=spent.dollars,
    )
