"""The runbook that alerts link to: a heading a signal, and one for each alert on Headroom itself."""

import re
from collections.abc import Iterable, Iterator

from monitor.dashboards.health import Check, checks
from monitor.units import amount
from rules.limits import Kind, Signal, catalogue

MEANING = {
    Kind.QUOTA: "a quota, set by AWS per account and region or by you: being below the band is headroom",
    Kind.PROVISIONED: "provisioned, and paid for: being below the band for a day is a finding",
    Kind.FIXED: "the service's design, which nobody can raise",
}
HEAD = """# Runbook

<!-- Made by `headroom dashboards runbook` from the catalogue: change it there. -->

What to do when an alert of Headroom fires. Of these four, a series has one at a time:

| alert | severity | when |
|--|--|--|
| `HeadroomSaturated` | critical | demand is refused now, at whatever utilization |
| `HeadroomCritical` | warning | near the limit (90 % where the signal has no band of its own) for its hold |
| `HeadroomAbove` | info | above the target band (70 %) for its hold |
| `HeadroomBelow` | info | below the target band (40 %) for a day, where the limit is paid for |

All that is known of a series, such as where its limit was read: `/api/v1/series?signal=...&resource=...`.
"""


def anchor(heading: str) -> str:
    """What a heading is linked to by, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def page() -> str:
    """The runbook, in Markdown."""
    parts = [HEAD, "## Headroom itself\n", *map(_check, checks())]
    for service in catalogue().values():
        parts += [f"## {service.title}\n", *map(_signal, service.signals.values())]
    return "\n".join(parts)


def _check(check: Check) -> str:
    hold = f"after {check.hold} minutes" if check.hold else "at once"
    facts = f"{check.why} ({check.severity.value}, {hold})"
    return _section(check.name, [facts, _list("What to do", check.remedy)])


def _signal(signal: Signal) -> str:
    return _section(signal.id, _paragraphs(signal))


def _paragraphs(signal: Signal) -> Iterator[str]:
    yield f"**{signal.title}**"
    yield signal.why
    yield f"Limit: {_limit(signal)}. Hold: {signal.hold} minutes."
    yield f"Refused demand: {signal.saturation}"
    if signal.caveats:
        yield _list("Beware", signal.caveats)
    yield _list("What to do", signal.remedy)
    yield _list("Documentation", (f"<{address}>" for address in signal.docs))


def _limit(signal: Signal) -> str:
    default = f"{amount(signal.default.value, signal.unit)} by default" if signal.default else "set by you"
    quota = f", quota {signal.quota.code} of {signal.quota.service}" if signal.quota else ""
    return f"{default}{quota} ({MEANING[signal.kind]})"


def _section(heading: str, paragraphs: Iterable[str]) -> str:
    return "\n\n".join([f"### {heading}", *paragraphs]) + "\n"


def _list(title: str, items: Iterable[str]) -> str:
    return "\n".join([f"{title}:", "", *(f"- {item}" for item in items)])
