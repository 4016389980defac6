"""Rules for those who alert in Prometheus: a file a service, and one for Headroom itself.

A series has at most one of the alerts HeadroomSaturated, -Critical and -Above, since all three look at one
recorded number, the zone to tell. Three recorded families lead there, for each signal:

last_known  the zone, kept while a series is stale: missing samples end no alert. It ends with the series.
held        the worst zone that has lasted for the signal's hold, with everything worse counted in, so that a
            series which grows worse meanwhile does not begin anew; `saturated` needs no time.
told        the worst held zone of the last minutes, so that an alert does not flap.

Time is that of the evaluations, where Headroom's own alerts count that of the samples.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from monitor.dashboards.health import Check, checks
from monitor.dashboards.runbook import anchor
from rules.alerts import KEEP_FIRING_FOR, Rule, holds
from rules.band import Zone
from rules.limits import Kind, Service, Signal, catalogue

LAST_KNOWN, HELD, TOLD = "headroom:zone:last_known", "headroom:zone:held", "headroom:zone:told"
INTERVAL = "30s"  # between evaluations; Prometheus forgets what `last_known` was after five minutes
IDENTITY = ("instance", "pod")  # labels of the scraped process, of which an alert's identity is free
IDENTIFIED = (
    '{{ $of := printf "{account=%q,region=%q,service=%q,signal=%q,resource=%q}" '
    "$labels.account $labels.region $labels.service $labels.signal $labels.resource }}"
)
RUNBOOK = "docs/runbook.md"

WORDS = {
    Rule.SATURATED: "refuses demand{refused}: {usage} of {limit} used",
    Rule.CRITICAL: "uses {usage} of {limit}{utilization}: it is about to be refused",
    Rule.ABOVE: "uses {usage} of {limit}{utilization}: it is above its target band",
    Rule.BELOW: "has used {usage} of {limit}{utilization} for a day: it is below its target band, "
    "and paid for",
}


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def files(runbook: str = RUNBOOK) -> Mapping[str, str]:
    """The text of each file by its name; `runbook` is the address of docs/runbook.md."""
    told = {service.service: service_groups(service, runbook) for service in catalogue().values()}
    told["headroom"] = [_group("headroom", [_check(check, runbook) for check in checks()])]
    return {f"{name}.yaml": _yaml(groups) for name, groups in told.items()}


def _yaml(groups: list[dict[str, Any]]) -> str:
    head = "# Made by `headroom dashboards prometheus` from the catalogue: change it there.\n"
    return head + yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=110)


def service_groups(service: Service, runbook: str) -> list[dict[str, Any]]:
    """A group a signal, so that they are evaluated side by side."""
    return [
        _group(f"headroom {signal.id}", [*_recorded(signal), *_alerts(service, signal, runbook)])
        for signal in service.signals.values()
    ]


def _group(name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "interval": INTERVAL, "rules": rules}


def _of(signal: Signal) -> str:
    return f'{{service="{signal.service}",signal="{signal.name}"}}'


def _labels(signal: Signal) -> dict[str, str]:
    """What a rule's series have anyway; said, it tells promtool and people that no two rules are one."""
    return {"service": signal.service, "signal": signal.name}


def _recorded(signal: Signal) -> list[dict[str, Any]]:
    expressions = {LAST_KNOWN: _last_known(_of(signal)), HELD: _held(signal), TOLD: _told(_of(signal))}
    return [{"record": name, "expr": expr, "labels": _labels(signal)} for name, expr in expressions.items()]


def _last_known(of: str) -> str:
    without = f"max without ({', '.join(IDENTITY)})"
    kept = f"{LAST_KNOWN}{of}\n  and\n  {without} (headroom_sample_timestamp_seconds{of})"
    return f"{without} (headroom_zone{of})\nor (\n  {kept}\n)"


def _held(signal: Signal) -> str:
    of, hold = _of(signal), f"{max(signal.hold, 1)}m"
    lasted = f"min_over_time({LAST_KNOWN}{of}[{hold}])\n  and\n  {LAST_KNOWN}{of} offset {hold}"
    return f"{LAST_KNOWN}{of} == {Zone.SATURATED}\nor (\n  {lasted}\n)"


def _told(of: str) -> str:
    worst, lesser = KEEP_FIRING_FOR[Rule.SATURATED], KEEP_FIRING_FOR[Rule.CRITICAL]
    saturated = f"max_over_time({HELD}{of}[{worst}m]) == {Zone.SATURATED}"
    return f"{saturated}\nor max_over_time({HELD}{of}[{lesser}m])"


def _alerts(service: Service, signal: Signal, runbook: str) -> list[dict[str, Any]]:
    of = _of(signal)
    alerts = [
        _alert(f"{TOLD}{of} == {Zone[rule.name]}", rule, service, signal, runbook)
        for rule in (Rule.SATURATED, Rule.CRITICAL, Rule.ABOVE)
    ]
    if signal.kind is Kind.PROVISIONED:
        below = _alert(f"{LAST_KNOWN}{of} == {Zone.BELOW}", Rule.BELOW, service, signal, runbook)
        hold = f"{holds(signal.hold)[Rule.BELOW] // 60}h"
        alerts.append(_after(below, {"for": hold, "keep_firing_for": f"{KEEP_FIRING_FOR[Rule.BELOW]}m"}))
    return alerts


def _after(alert: dict[str, Any], timing: dict[str, str]) -> dict[str, Any]:
    """The timing, where people look for it: after the expression."""
    return {"alert": alert["alert"], "expr": alert["expr"], **timing, **alert}


def _alert(expr: str, rule: Rule, service: Service, signal: Signal, runbook: str) -> dict[str, Any]:
    return {
        "alert": f"Headroom{rule.word.capitalize()}",
        "expr": expr,
        "labels": {"severity": rule.severity.value, **_labels(signal)},
        "annotations": {
            "summary": _summary(rule, service, signal),
            "description": signal.why,
            "remedy": " ".join(signal.remedy),
            "runbook_url": f"{runbook}#{anchor(signal.id)}",
            "docs": signal.docs[0],
        },
    }


def _check(check: Check, runbook: str) -> dict[str, Any]:
    alert = {
        "alert": check.name,
        "expr": check.expr,
        "labels": {"severity": check.severity.value},
        "annotations": {
            "summary": check.summary,
            "description": check.why,
            "remedy": " ".join(check.remedy),
            "runbook_url": f"{runbook}#{anchor(check.name)}",
        },
    }
    return _after(alert, {"for": f"{check.hold}m"}) if check.hold else alert


def _summary(rule: Rule, service: Service, signal: Signal) -> str:
    numbers = {
        "usage": _number("headroom_usage", signal, otherwise="an unknown amount"),
        "limit": _number("headroom_limit", signal, signal.unit, otherwise="its limit"),
        "utilization": _queried("headroom_utilization_ratio", " ({} | humanizePercentage }})"),
        "refused": _queried("headroom_saturation", " ({} | humanize }}/s)"),
    }
    name = '{{ with printf "headroom_account_info{account=%q}" $labels.account | query }}'
    account = name + '{{ . | first | label "name" }}{{ else }}{{ $labels.account }}{{ end }}'
    where = f"{{{{ $labels.resource }}}} ({account}, {{{{ $labels.region }}}})"
    told = f"{service.title}, {where} {WORDS[rule].format(**numbers)}. {signal.title}."
    return IDENTIFIED + told


def _queried(family: str, shown: str, scale: str = "", otherwise: str = "") -> str:
    """A template for the value of the alert's series in a family; `{}` in `shown` stands for the value."""
    value = shown.replace("{}", "{{ . | first | value")
    other = f"{{{{ else }}}}{otherwise}" if otherwise else ""
    return f'{{{{ with printf "{family}%s{scale}" $of | query }}}}{value}{other}{{{{ end }}}}'


def _number(family: str, signal: Signal, unit: str = "", otherwise: str = "") -> str:
    """An amount as people read it, with its unit where that is asked for or belongs to the number."""
    if signal.unit == "milliseconds":
        return _queried(family, "{} | humanizeDuration }}", " / 1000", otherwise)
    if signal.unit.startswith("bytes"):
        shown = "{} | humanize1024 }}" + f"B{signal.unit.removeprefix('bytes')}"
        return _queried(family, shown, otherwise=otherwise)
    return _queried(family, "{} | humanize }}" + (f" {unit}" if unit else ""), otherwise=otherwise)
