"""promtool evaluates the rules for Prometheus: which alert of a series fires at which minute."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from monitor.dashboards.prometheus import files
from rules.signals import LimitKind, Signal
from tests.acceptance.prometheus_server import program
from tests.processes import ROOT
from tests.registries import REGISTRY

RULES = ROOT / "dashboards" / "prometheus"
YAML_TESTS = Path(__file__).parent / "rules"
DAY = 24 * 60  # minutes

# Zones as they are exported. Of a STALE series no zone is exported, of a GONE series nothing.
GONE, STALE, BELOW, WITHIN, ABOVE, NEAR, SATURATED = (-3, -2, -1, 0, 1, 2, 3)
ALERT_NAMES = {ABOVE: "HeadroomAbove", NEAR: "HeadroomNear", SATURATED: "HeadroomSaturated"}

# The rules of signals with the same kind and times differ only in names and texts, so one signal is enough.
REPRESENTATIVES = {
    (signal.kind, signal.pending_for, signal.tolerance.pending_for): signal for signal in REGISTRY.signals
}
each_signal = pytest.mark.parametrize("signal", REPRESENTATIVES.values(), ids=lambda signal: signal.id)


class Situation(NamedTuple):
    """The zones of a series over time, and the alert that fires at some minutes.

    zones: each with its duration in minutes. alerts: by minute, the zone whose alert fires; WITHIN for none.
    """

    zones: tuple[tuple[int, int], ...]
    alerts: Mapping[int, int]


def no_alert(minutes: int) -> dict[int, int]:
    """Return the alerts of the first minutes if none fires."""
    return dict.fromkeys(range(minutes), WITHIN)


# By name: returns the situation for a rule's `for` in minutes. Ten minutes within the band precede it.
SITUATIONS: Mapping[str, Callable[[int], Situation]] = {
    "near fires after pending_for": lambda pending_for: Situation(
        ((NEAR, pending_for + 20),), {9 + pending_for: WITHIN, 10 + pending_for: NEAR, 29 + pending_for: NEAR}
    ),
    "a new series has the same pending_for": lambda pending_for: Situation(
        ((GONE, 30), (NEAR, pending_for + 20)), {40: WITHIN, 39 + pending_for: WITHIN, 41 + pending_for: NEAR}
    ),
    "above fires after pending_for": lambda pending_for: Situation(
        ((ABOVE, pending_for + 20),),
        {9 + pending_for: WITHIN, 10 + pending_for: ABOVE, 29 + pending_for: ABOVE},
    ),
    "saturated at once and for ten minutes": lambda pending_for: Situation(
        ((SATURATED, 1), (WITHIN, 20)), {9: WITHIN, 10: SATURATED, 19: SATURATED, 22: WITHIN}
    ),
    "near for too short a time to fire": lambda pending_for: Situation(
        ((NEAR, pending_for - 1), (WITHIN, 20)), no_alert(30 + pending_for)
    ),
    "a worse zone fires without a new pending_for": lambda pending_for: Situation(
        ((ABOVE, 2), (NEAR, pending_for + 10)),
        {9 + pending_for: WITHIN, 10 + pending_for: ABOVE, 12 + pending_for: NEAR},
    ),
    "alternates between two zones": lambda pending_for: Situation(
        ((ABOVE, 1), (NEAR, 1)) * (pending_for + 5),
        dict.fromkeys(range(10 + pending_for, 20 + pending_for), ABOVE),
    ),
    "saturated for a while, and near again without a gap": lambda pending_for: Situation(
        ((NEAR, pending_for + 5), (SATURATED, 2), (NEAR, 20)),
        {14 + pending_for: NEAR}
        | dict.fromkeys(range(15 + pending_for, 26 + pending_for), SATURATED)
        | dict.fromkeys(range(28 + pending_for, 36 + pending_for), NEAR),
    ),
    "resolved after five minutes, though near again for less than pending_for": lambda pending_for: Situation(
        ((NEAR, pending_for + 5), (WITHIN, 2), (NEAR, min(2, pending_for - 1)), (WITHIN, 20)),
        {
            15 + pending_for: NEAR,
            17 + pending_for: NEAR,
            19 + pending_for: NEAR,
            22 + pending_for: WITHIN,
            30 + pending_for: WITHIN,
        },
    ),
    "stale does not resolve": lambda pending_for: Situation(
        ((NEAR, pending_for + 5), (STALE, 60)), {20 + pending_for: NEAR, 70 + pending_for: NEAR}
    ),
    "resolved when the series is gone": lambda pending_for: Situation(
        ((NEAR, pending_for + 5), (GONE, 30)), {14 + pending_for: NEAR, 40 + pending_for: WITHIN}
    ),
}


def situations_of(signal: Signal) -> Iterator[tuple[str, Situation]]:
    """Yield the situations of a signal with their names.

    If throttling is tolerated for minutes, no alert fires at once: situations with SATURATED are replaced.
    """
    pending_for, tolerated = max(signal.pending_for, 1), signal.tolerance.pending_for
    for name, situation in SITUATIONS.items():
        if not tolerated or SATURATED not in dict(situation(pending_for).zones):
            yield name, situation(pending_for)
    if tolerated:
        # A saturated series is near its limit, too, and that alert may fire earlier.
        fires_before = NEAR if pending_for < tolerated else WITHIN
        alerts = {9 + tolerated: fires_before, 10 + tolerated: SATURATED, 29 + tolerated: SATURATED}
        yield "saturated for longer than tolerated", Situation(((SATURATED, tolerated + 20),), alerts)


def input_series(
    signal: Signal, resource: str, zones: tuple[tuple[int, int], ...], **other_families: str
) -> Iterator[dict[str, str]]:
    """Yield the exported families of a series, one value per minute, in promtool's notation.

    other_families: the values of further families, by name.
    """
    cell = f'aws_account="1",aws_region="r",aws_service="{signal.service}"'
    labels = f'{{{cell},signal="{signal.name}",resource="{resource}"}}'
    families = {
        "headroom_zone": [
            f"{zone}x{minutes - 1}" if zone > STALE else f"_x{minutes}" for zone, minutes in zones if minutes
        ],
        "headroom_sample_timestamp_seconds": [
            f"1x{minutes - 1}" if zone > GONE else f"_x{minutes}" for zone, minutes in zones if minutes
        ],
    }
    values = {name: " ".join(values) for name, values in families.items()} | other_families
    return ({"series": name + labels, "values": value} for name, value in values.items())


def alert_check(signal: Signal, resource: str, minute: int, name: str | None) -> dict[str, Any]:
    """Return the promtool check of a series: only the alert `name` fires, and no alert if it is None."""
    firing = f'ALERTS{{alertstate="firing",signal="{signal.name}",resource="{resource}"}}'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    return {"expr": f"count by (alertname) ({firing})", "eval_time": f"{minute}m", "exp_samples": samples}


def promtool_test_of_situations(signal: Signal) -> dict[str, Any]:
    """Return the promtool test of all situations, each with its own resource."""
    series: list[dict[str, str]] = []
    checks: list[dict[str, Any]] = []
    for resource, (zones, alerts) in situations_of(signal):
        series += input_series(signal, resource, ((WITHIN, 10), *zones))
        checks += [
            alert_check(signal, resource, minute, ALERT_NAMES.get(zone)) for minute, zone in alerts.items()
        ]
    return {"interval": "1m", "input_series": series, "promql_expr_test": checks}


def promtool_test_of_a_day_below(signal: Signal) -> dict[str, Any]:
    """Return the promtool test that only a provisioned limit alerts below the band, and only after a day.

    A limit does not alert if another limit that was bought with it is busy.
    """
    never_idle = f"0x{DAY + 60}"
    series = [
        *input_series(signal, "idle", ((BELOW, DAY + 60),)),
        *input_series(signal, "busy by another limit", ((BELOW, DAY + 60),), headroom_idle=never_idle),
    ]
    alert = "HeadroomBelow" if signal.kind is LimitKind.PROVISIONED else None
    checks = [
        alert_check(signal, "busy by another limit", DAY + 30, None),
        alert_check(signal, "idle", DAY - 60, None),
        alert_check(signal, "idle", DAY + 30, alert),
    ]
    return {"interval": "1m", "input_series": series, "promql_expr_test": checks}


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must succeed."""
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(RULES.iterdir()), ids=lambda file: file.stem)
def test_promtool_accepts_the_rules(file: Path) -> None:
    promtool("check", "rules", file)


@each_signal
@pytest.mark.parametrize(
    ("test", "interval"), [(promtool_test_of_situations, "30s"), (promtool_test_of_a_day_below, "4m")]
)
def test_each_problem_raises_one_alert_in_prometheus(
    signal: Signal, test: Callable[[Signal], dict[str, Any]], interval: str, tmp_path: Path
) -> None:
    service = REGISTRY.services[signal.service].model_copy(update={"signals": {signal.name: signal}})
    rules = tmp_path / f"{service.service}.yaml"
    rules.write_text(files([service])[rules.name], "utf-8")
    content = {"rule_files": [str(rules)], "evaluation_interval": interval, "tests": [test(signal)]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    promtool("test", "rules", file)


@pytest.mark.parametrize("file", sorted(YAML_TESTS.iterdir()), ids=lambda file: file.stem)
def test_the_rule_tests_in_yaml_pass(file: Path) -> None:
    promtool("test", "rules", file)
