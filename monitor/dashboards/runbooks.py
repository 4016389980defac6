"""The runbooks that alerts link to: a page per service with a heading per signal, and one for Headroom."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from collectors.registry import Registry
from monitor.dashboards.health import HealthAlert, health_alerts
from monitor.dashboards.markdown import GENERATED, anchor, bullets, link, service_heading, shell
from monitor.lib.durations import format_duration
from monitor.lib.partitions import COMMERCIAL, partitions
from monitor.render.commands import command_of_signal
from monitor.render.default_limit import default_limit_text
from monitor.render.tolerance import tolerance_text
from rules.command_template import fill_command
from rules.signals import LimitKind, Service, Signal, Tier

OWN_PAGE = "headroom"  # of the alerts on Headroom itself, and of what all alerts have in common
KIND_DESCRIPTIONS = {
    LimitKind.QUOTA: "a quota, set by AWS per account and region or by you; "
    "usage below the band raises no alert",
    LimitKind.PROVISIONED: "provisioned and paid for; a day below the band raises an alert",
    LimitKind.FIXED: "fixed by the design of the service; it cannot be raised",
}
REMEDY_TIMES = {
    LimitKind.QUOTA: "An increase takes about {} once it is requested; AWS may approve it sooner by itself.",
    LimitKind.PROVISIONED: "Raising it takes about {}.",
    LimitKind.FIXED: "Changing the design takes about {}.",
}
OWN_HEAD = f"""# Runbook of Headroom

{GENERATED}

The limits of each service have a page of their own, to which their alerts link;
{link("the catalogue", "../catalogue.md")} lists them.
A series has at most one of these four alerts at a time:

| alert | severity | when |
|--|--|--|
| `HeadroomSaturated` | critical | demand is throttled now, at any utilization |
| `HeadroomNear` | warning | near the limit (90 %, or the signal's own band) for the signal's `for` |
| `HeadroomAbove` | info | above the target band (70 %) for the signal's `for` |
| `HeadroomBelow` | info | below the target band (40 %) for a day, where the limit is paid for |

`HeadroomWillReach` (warning) tells beside them that a series which is not near its limit will probably
reach it within three days, a day, six hours or an hour (`within`), by the usage of the last 14 days.

Details of a series, such as the source of its limit: `/api/v1/series?signal=...&resource=...`.
Caveats marked (inferred) are concluded from what AWS documents; those marked (recalled) were not found
in its documentation. In commands, words in capitals stand for what you choose; domains and ARNs
are those of the commercial regions.

The alerts below are those on Headroom itself.
"""


def address_of(runbooks: str, page: str, heading: str) -> str:
    """Return the address of a heading of a runbook. runbooks: the address of their folder."""
    return f"{runbooks}/{page}.md#{anchor(heading)}"


def files(registry: Registry) -> Mapping[str, str]:
    """Return the text of each runbook by the name of its file."""
    pages = {
        collector.service: service_runbook(registry.services[collector.service], collector.iam_actions)
        for collector in registry.collectors
    }
    return {f"{name}.md": text for name, text in {OWN_PAGE: own_runbook(), **pages}.items()}


def own_runbook() -> str:
    """Return the runbook of the alerts on Headroom itself."""
    return "\n".join([OWN_HEAD, *map(_health_alert, health_alerts())])


def service_runbook(service: Service, actions: Collection[str]) -> str:
    """Return the runbook of a service. actions: of IAM, that reading it needs."""
    return "\n".join(
        [_head(service), *map(_signal, service.signals.values()), _permissions(service, actions)]
    )


def _head(service: Service) -> str:
    catalogue = link("the catalogue", "../catalogue.md", service_heading(service))
    own = link("Which alerts there are", f"{OWN_PAGE}.md")
    about = f"What to do about the limits of {service.title}, which {catalogue} lists."
    common = f"{own} is the same for all services."
    return f"# Runbook of {service.title}\n\n{GENERATED}\n\n{about} {common}\n"


def _permissions(service: Service, actions: Collection[str]) -> str:
    policy = f"`headroom iam-policy --service {service.service}` prints the policy with all of them."
    if not actions:
        return _section("Permissions", ["Reading this service needs the actions of every service.", policy])
    about = "Reading this service needs these actions, beside those that every service needs:"
    return _section("Permissions", [about, bullets(f"`{one}`" for one in sorted(actions)), policy])


def _health_alert(alert: HealthAlert) -> str:
    pending = f"after {alert.pending_for} minutes" if alert.pending_for else "at once"
    facts = f"{alert.description} ({alert.severity.value}, {pending})"
    return _section(alert.name, [facts, f"Remedies:\n\n{bullets(alert.remedies)}"])


def _signal(signal: Signal) -> str:
    return _section(signal.id, _paragraphs(signal))


def _paragraphs(signal: Signal) -> Iterator[str]:
    yield f"**Meaning:** {signal.title}. {' '.join(_meaning(signal))}"
    yield f"**Impact:** {signal.why}"
    yield f"**Diagnosis:** {' '.join(_diagnosis(signal))}"
    if signal.caveats:
        yield bullets(signal.caveats)
    yield shell(_diagnosis_commands(signal))
    takes = format_duration(60 * signal.remedy_minutes)
    yield f"**Mitigation:** {REMEDY_TIMES[signal.kind].format(takes)}"
    yield bullets(signal.remedy)
    if command := command_of_signal(signal):
        yield shell([_filled(signal, command.run)])
    yield f"Documentation: {', '.join(f'<{address}>' for address in signal.docs)}"


def _meaning(signal: Signal) -> Iterator[str]:
    yield f"Limit: {_limit(signal)}."
    yield f"Alerts on its utilization fire after {signal.pending_for} minutes (`for`)."
    if signal.tier is Tier.DETAIL:
        yield f"Read only on request: `signals: {{enabled: [{signal.id}]}}` in the configuration."
    if signal.unverified:
        yield f"Unverified: {signal.unverified} Until AWS has answered, its alerts are of severity info."


def _limit(signal: Signal) -> str:
    default = f"{default_limit_text(signal)}{' by default' if signal.default else ''}"
    quota = f", quota {signal.quota.code} of {signal.quota.service}" if signal.quota else ""
    return f"{default}{quota} ({KIND_DESCRIPTIONS[signal.kind]})"


def _diagnosis(signal: Signal) -> Iterator[str]:
    yield signal.saturation
    if signal.throttled_unit:
        yield tolerance_text(signal, signal.tolerance)


def _diagnosis_commands(signal: Signal) -> Iterator[str]:
    yield f"headroom check --signal {signal.id}"
    if signal.quota:
        code = "--service-code {service} --quota-code {code} --region {region}"
        yield _filled(signal, f"aws service-quotas get-service-quota {code}")


def _filled(signal: Signal, command: str) -> str:
    """Return a command with the signal's quota; what is not known is in capitals."""
    quota = {"service": signal.quota.service, "code": signal.quota.code} if signal.quota else {}
    known = {"partition": COMMERCIAL, "suffix": partitions()[COMMERCIAL].dns_suffix, **quota}
    return fill_command(command, lambda name: known.get(name, name.upper()))


def _section(heading: str, paragraphs: Iterable[str]) -> str:
    return "\n\n".join([f"## {heading}", *paragraphs]) + "\n"
