"""The runbook of a service: a section for each signal, with the meaning of its alerts and the remedies."""

from collections.abc import Collection, Iterator

from monitor.lib.anchors import OWN_RUNBOOK
from monitor.lib.durations import format_duration
from monitor.lib.partitions import COMMERCIAL, partitions
from monitor.render.commands import command_of_signal
from monitor.render.default_limit import default_limit_text
from monitor.render.tolerance import tolerance_text
from monitor.runbooks.runbook import (
    CATALOGUE,
    Addresses,
    Bullets,
    Reference,
    Runbook,
    RunbookBlock,
    Section,
    ShellCommands,
    paragraph,
)
from rules.command_template import fill_command
from rules.plurals import count_of
from rules.signals import LimitKind, RemedyKind, Service, Signal, Tier

KIND_DESCRIPTIONS = {
    LimitKind.QUOTA: "a quota, set by AWS per account and region or by you; "
    "usage below the band raises no alert",
    LimitKind.PROVISIONED: "provisioned and paid for; a day below the band raises an alert",
    LimitKind.FIXED: "fixed by the design of the service; it cannot be raised",
}
REMEDY_TIMES = {
    RemedyKind.REQUEST: "An increase takes about {} once it is requested; AWS may approve it sooner by "
    "itself.",
    RemedyKind.CHANGE: "The change takes about {}.",
    RemedyKind.REDESIGN: "Changing the design takes about {}.",
}


def service_heading(service: Service) -> str:
    """Return the heading of a service. It includes the id, as two services may have the same title."""
    return f"{service.title} ({service.service})"


def service_runbook(service: Service, actions: Collection[str]) -> Runbook:
    """Return the runbook of a service. actions: the IAM actions that reading the service needs."""
    sections = (Section(signal.id, tuple(_blocks(signal))) for signal in service.signals.values())
    return Runbook(service.title, (_head(service),), (*sections, _permissions(service, actions)))


def _head(service: Service) -> RunbookBlock:
    return paragraph(
        f"What to do about the limits of {service.title}, which ",
        Reference("the catalogue", CATALOGUE, service_heading(service)),
        " lists. ",
        "All services have ",
        Reference("the same kinds of alerts", OWN_RUNBOOK),
        ".",
    )


def _permissions(service: Service, actions: Collection[str]) -> Section:
    policy = paragraph(
        f"`headroom iam-policy --service {service.service}` prints the policy with all of them."
    )
    if not actions:
        common = paragraph("Reading this service needs only the actions that every service needs.")
        return Section("Permissions", (common, policy))
    intro = paragraph("Reading this service needs these actions, beside those that every service needs:")
    return Section(
        "Permissions", (intro, Bullets(tuple(f"`{action}`" for action in sorted(actions))), policy)
    )


def _blocks(signal: Signal) -> Iterator[RunbookBlock]:
    yield paragraph(f"{signal.title}. {' '.join(_meaning(signal))}", label="Meaning")
    yield paragraph(signal.why, label="Impact")
    yield paragraph(" ".join(_diagnosis(signal)), label="Diagnosis")
    if signal.caveats:
        yield Bullets(tuple(signal.caveats))
    yield ShellCommands(tuple(_diagnosis_commands(signal)))
    duration = format_duration(60 * signal.remedy_minutes)
    yield paragraph(REMEDY_TIMES[signal.remedy_kind].format(duration), label="Mitigation")
    yield Bullets(tuple(signal.remedy))
    command = command_of_signal(signal)
    if command and not command.is_reading:
        yield ShellCommands((_fill(signal, command.run),))
    yield Addresses("Documentation", tuple(map(str, signal.docs)))


def _meaning(signal: Signal) -> Iterator[str]:
    yield f"Limit: {_limit_text(signal)}."
    yield f"Alerts on its utilization fire after {count_of(signal.pending_for, 'minute')} (`for`)."
    if signal.tier is Tier.DETAIL:
        yield f"Read only on request: `signals: {{enabled: [{signal.id}]}}` in the configuration."
    if signal.unverified:
        severity = "Until AWS has returned data for it, its alerts have the severity info."
        yield f"Unverified: {signal.unverified} {severity}"


def _limit_text(signal: Signal) -> str:
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
        yield _fill(signal, f"aws service-quotas get-service-quota {code}")
    if signal.command and signal.command.is_reading:
        yield _fill(signal, signal.command.run)


def _fill(signal: Signal, command: str) -> str:
    """Return a command with the signal's quota filled in; other placeholders become words in capitals."""
    quota = {"service": signal.quota.service, "code": signal.quota.code} if signal.quota else {}
    values = {"partition": COMMERCIAL, "suffix": partitions()[COMMERCIAL].dns_suffix, **quota}
    return fill_command(command, lambda name: values.get(name, name.upper()))
