"""What should be seen and is not: one alert for each cell and cause, however many series hide behind it."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import NamedTuple

from msgspec.structs import replace

from monitor.alerting.inhibit import BLIND
from monitor.alerting.notice import Kind, Notice, Severity
from monitor.alerting.phrases import place, span
from monitor.aws import Failure
from monitor.inventory import Outcome
from monitor.status import Told
from rules.limits import catalogue

METRICS = "the metrics"  # of a cell
AFTER = 900.0  # seconds without a sight
SLACK = 60.0  # seconds that a look may take
LATE = "late"  # the cause where nothing failed, and nothing ended either
REFUSED = ("AccessDenied", "Unauthorized", "NotAuthorized")  # parts of the codes
ALLOW = "Allow what is missing: `headroom iam-policy` prints it; boundaries and control policies count, too."


class Sight(NamedTuple):
    """One thing that is looked at again and again, and one reason why that failed.

    region, service: empty where all of an account, or of a cell, is meant. name: what the account is called.
    seen: when all of it was seen last, or since when it is watched. every: seconds between two looks.
    cause: the error's code; empty when the last look did not fail. sentence: what AWS said.
    never: it was not once seen since then.
    """

    account: str
    region: str
    service: str
    name: str
    seen: float
    every: float
    cause: str = ""
    sentence: str = ""
    never: bool = False


class Blind(NamedTuple):
    """That something is not seen. alert: an id, stable over restarts. since: when all of it was seen last."""

    alert: str
    labels: Mapping[str, str]
    since: float
    cause: str
    what: str


def sights(told: Told, since: float, inventory: float, poll: float) -> Iterator[Sight]:
    """What is looked at. since: when that began. inventory, poll: seconds from one to the next."""
    for name, failure in told.shut.items():
        yield Sight(name, "", "", name, since, SLACK, failure.code, failure.sentence, never=True)
    for cell in told.cells:
        plain = Sight(cell.account, cell.region, "", cell.name, since, poll)
        yield from _of(cell.poll, plain)
        for service, outcome in cell.collectors.items():
            yield from _of(outcome, plain._replace(service=service, every=inventory))


def _of(outcome: Outcome, plain: Sight) -> Iterator[Sight]:
    """One for each cause; the first failure of a cause speaks for it."""
    first: dict[str, Failure] = {}
    for failure in outcome.failures:
        first.setdefault(failure.code, failure)
    never = outcome.succeeded is None
    plain = plain._replace(seen=outcome.succeeded or plain.seen, never=never)
    for failure in first.values():
        yield plain._replace(cause=failure.code, sentence=failure.sentence)
    if not first:
        yield plain


def blind(sights: Iterable[Sight], now: float) -> list[Blind]:
    """What was not seen for a quarter of an hour; where looks are rarer than that, for two of them."""
    missed = [
        one._replace(cause=one.cause or LATE) for one in sights if now - one.seen > _patience(one.every)
    ]
    return [_blind(list(those)) for _, those in groupby(sorted(missed, key=_cause), _cause)]


def _patience(every: float) -> float:
    return max(AFTER, 2 * every + SLACK)


def _cause(one: Sight) -> tuple[str, str, str]:
    return one.account, one.region, one.cause


def _blind(those: Sequence[Sight]) -> Blind:
    """One alert: of a service, where that is all that is not seen for this cause; else of the cell."""
    account, region, cause = _cause(those[0])
    services = sorted({one.service for one in those})
    labels = {
        "account": account,
        "account_name": those[0].name,
        "region": region,
        "service": services[0] if len(services) == 1 else "",
        "signal": BLIND,
        "severity": Severity.WARNING,
    }
    return Blind(
        _identity(account, region, cause),
        {name: label for name, label in labels.items() if label},
        min(one.seen for one in those),
        cause,
        _what(those, services),
    )


def _identity(account: str, region: str, cause: str) -> str:
    identity = "\0".join((BLIND, account, region, cause)).encode("utf-8", "surrogatepass")
    return blake2b(identity, digest_size=8).hexdigest()


def _what(those: Sequence[Sight], services: Iterable[str]) -> str:
    """What is hidden, and what AWS says."""
    known = catalogue()
    names = [known[one].title if one in known else one or METRICS for one in services]
    if not those[0].region:
        names = ["the whole account"]
    said = next((one.sentence for one in those if one.sentence), "no look has ended since")
    return f"{', '.join(names)}. {said.rstrip('.')}."


def notice(one: Blind, number: int, at: float) -> Notice:
    """What is told of it when it begins."""
    return Notice(
        alert=one.alert,
        number=number,
        kind=Kind.FIRING,
        severity=Severity.WARNING,
        zone=BLIND,
        summary=f"{place(one.labels)} has not been fully seen for {span(at - one.since)}: {one.what}",
        labels=one.labels,
        at=at,
        since=one.since,
        remedy=(ALLOW,) if any(word in one.cause for word in REFUSED) else (),
    )


def ended(stand: Iterable[Notice], sights: Sequence[Sight], hidden: Container[str]) -> list[Notice]:
    """Those of the alerts that stand which are over.

    hidden: the alerts of what is not seen. What was not seen since this process began to look, and fails for
    the same cause or has not been answered yet, is none of that: nobody knows it to be seen again.
    """
    lasting = {_identity(one.account, one.region, one.cause) for one in sights if one.never and one.cause}
    open_ = {(one.account, one.region) for one in sights if one.never and not one.cause}
    return [
        one
        for one in stand
        if one.alert not in hidden and one.alert not in lasting and _cell(one) not in open_
    ]


def over(one: Notice, sights: Iterable[Sight], number: int, at: float) -> Notice:
    """What is told when it is over; `one` is what was told of it before."""
    watched = "region" not in one.labels or _cell(one) in {(sight.account, sight.region) for sight in sights}
    how = "is seen again" if watched else "is not watched any more"
    summary = f"{place(one.labels)} {how}, after {span(at - one.since)}."
    return replace(one, number=number, kind=Kind.RESOLVED, summary=summary, at=at)


def _cell(one: Notice) -> tuple[str, str]:
    return one.labels["account"], one.labels.get("region", "")
