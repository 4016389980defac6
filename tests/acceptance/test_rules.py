"""promtool evaluates the rules for Prometheus: what is told of a series, minute by minute."""

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from rules.limits import Kind, Service, Signal, catalogue
from tests.processes import ROOT

RULES = ROOT / "dashboards" / "prometheus"
WRITTEN = Path(__file__).parent / "rules"
DAY = 24 * 60

GONE, STALE, BELOW, WITHIN, ABOVE, CRITICAL, SATURATED = (-3, -2, -1, 0, 1, 2, 3)
NAMES = {ABOVE: "HeadroomAbove", CRITICAL: "HeadroomCritical", SATURATED: "HeadroomSaturated"}

each_service = pytest.mark.parametrize("service", catalogue().values(), ids=lambda one: one.service)


class Situation(NamedTuple):
    """What a series goes through, and the one alert it has (or WITHIN, for none) at some minutes.

    zones: each with how many minutes it lasts. told: by minute.
    """

    zones: tuple[tuple[int, int], ...]
    told: Mapping[int, int]


def silent(minutes: int) -> dict[int, int]:
    return dict.fromkeys(range(minutes), WITHIN)


# Of a signal with a hold of that many minutes; ten quiet minutes come first.
SITUATIONS: Mapping[str, Callable[[int], Situation]] = {
    "critical once it has lasted": lambda hold: Situation(
        ((CRITICAL, hold + 20),), {9 + hold: WITHIN, 10 + hold: CRITICAL, 29 + hold: CRITICAL}
    ),
    "new, and held like any other": lambda hold: Situation(
        ((GONE, 30), (CRITICAL, hold + 20)), {40: WITHIN, 39 + hold: WITHIN, 41 + hold: CRITICAL}
    ),
    "above once it has lasted": lambda hold: Situation(
        ((ABOVE, hold + 20),), {9 + hold: WITHIN, 10 + hold: ABOVE, 29 + hold: ABOVE}
    ),
    "saturated at once and for ten minutes": lambda hold: Situation(
        ((SATURATED, 1), (WITHIN, 20)), {9: WITHIN, 10: SATURATED, 19: SATURATED, 22: WITHIN}
    ),
    "too short to be told": lambda hold: Situation(((CRITICAL, hold - 1), (WITHIN, 20)), silent(30 + hold)),
    "worse meanwhile, and the hold goes on": lambda hold: Situation(
        ((ABOVE, 2), (CRITICAL, hold + 10)), {9 + hold: WITHIN, 10 + hold: ABOVE, 12 + hold: CRITICAL}
    ),
    "to and fro between two zones": lambda hold: Situation(
        ((ABOVE, 1), (CRITICAL, 1)) * (hold + 5), dict.fromkeys(range(10 + hold, 20 + hold), ABOVE)
    ),
    "refused for a while, and critical again without a gap": lambda hold: Situation(
        ((CRITICAL, hold + 5), (SATURATED, 2), (CRITICAL, 20)),
        {14 + hold: CRITICAL}
        | dict.fromkeys(range(15 + hold, 26 + hold), SATURATED)
        | dict.fromkeys(range(28 + hold, 36 + hold), CRITICAL),
    ),
    "well again after five minutes": lambda hold: Situation(
        ((CRITICAL, hold + 5), (WITHIN, 2), (CRITICAL, 2), (WITHIN, 20)),
        {15 + hold: CRITICAL, 17 + hold: CRITICAL, 19 + hold: CRITICAL, 22 + hold: WITHIN, 30 + hold: WITHIN},
    ),
    "stale is not well": lambda hold: Situation(
        ((CRITICAL, hold + 5), (STALE, 60)), {20 + hold: CRITICAL, 70 + hold: CRITICAL}
    ),
    "gone with its series": lambda hold: Situation(
        ((CRITICAL, hold + 5), (GONE, 30)), {14 + hold: CRITICAL, 40 + hold: WITHIN}
    ),
}


def input_series(
    signal: Signal, resource: str, zones: tuple[tuple[int, int], ...]
) -> Iterator[dict[str, str]]:
    """The exported families of a series, a value a minute."""
    of = f'{{account="1",region="r",service="{signal.service}",signal="{signal.name}",resource="{resource}"}}'
    told = {
        "headroom_zone": [
            f"{zone}x{minutes - 1}" if zone > STALE else f"_x{minutes}" for zone, minutes in zones
        ],
        "headroom_sample_timestamp_seconds": [
            f"1x{minutes - 1}" if zone > GONE else f"_x{minutes}" for zone, minutes in zones
        ],
    }
    return ({"series": name + of, "values": " ".join(values)} for name, values in told.items())


def expected(signal: Signal, resource: str, minute: int, name: str | None) -> dict[str, Any]:
    """That the series has this alert firing, or None, and no other."""
    firing = f'ALERTS{{alertstate="firing",signal="{signal.name}",resource="{resource}"}}'
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    return {"expr": f"count by (alertname) ({firing})", "eval_time": f"{minute}m", "exp_samples": samples}


def situations(service: Service) -> dict[str, Any]:
    """A test of promtool: every situation of every signal, each a resource."""
    series: list[dict[str, str]] = []
    probes: list[dict[str, Any]] = []
    for signal in service.signals.values():
        for resource, situation in SITUATIONS.items():
            zones, told = situation(signal.hold)
            series += input_series(signal, resource, ((WITHIN, 10), *zones))
            probes += [expected(signal, resource, minute, NAMES.get(zone)) for minute, zone in told.items()]
    return {"interval": "1m", "input_series": series, "promql_expr_test": probes}


def a_day_below(service: Service) -> dict[str, Any]:
    """A test of promtool: only what is paid for is told of below its band, and only after a day."""
    series: list[dict[str, str]] = []
    probes: list[dict[str, Any]] = []
    for signal in service.signals.values():
        series += input_series(signal, "idle", ((BELOW, DAY + 60),))
        told = "HeadroomBelow" if signal.kind is Kind.PROVISIONED else None
        probes += [expected(signal, "idle", DAY - 60, None), expected(signal, "idle", DAY + 30, told)]
    return {"interval": "1m", "input_series": series, "promql_expr_test": probes}


def promtool(*arguments: str | Path) -> None:
    program = shutil.which("promtool")
    assert program, "install the Debian package `prometheus`, or run `make acceptance`"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", sorted(RULES.iterdir()), ids=lambda file: file.stem)
def test_promtool_accepts_the_rules(file: Path) -> None:
    promtool("check", "rules", file)


@each_service
@pytest.mark.parametrize(("test", "interval"), [(situations, "30s"), (a_day_below, "4m")])
def test_one_alert_a_problem(
    service: Service, test: Callable[[Service], dict[str, Any]], interval: str, tmp_path: Path
) -> None:
    rules = [str(RULES / f"{service.service}.yaml")]
    told = {"rule_files": rules, "evaluation_interval": interval, "tests": [test(service)]}
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(told, sort_keys=False), "utf-8")
    promtool("test", "rules", file)


@pytest.mark.parametrize("file", sorted(WRITTEN.iterdir()), ids=lambda file: file.stem)
def test_what_is_written_out(file: Path) -> None:
    promtool("test", "rules", file)
