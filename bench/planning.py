"""Dollars against the delay of detection, for several ways of planning. `python bench/planning.py [traces]`

Usage of real traces is read from a simulated CloudWatch, minute by minute, as the planner says. One series in
five comes near its limit: its peak is 87 % of it; the peaks of the others are a third. traces: a folder of
`*.csv.gz` files with the columns minute and value; by default ../shared/traces.
`--picture FILE` draws the results as SVG.
"""

import argparse
import asyncio
import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from monitor.cost.prices import DOLLARS_PER_METRIC
from monitor.fleet.columns import Flags, Floats
from monitor.planning.budget import MINUTES_PER_MONTH, Budget
from monitor.planning.cadence import Intervals
from tests.monitor.fleet.fleets import ACCOUNT
from tests.monitor.planning.simulation import ADAPTIVE, DELAY, HISTORY, Simulation

DAYS = 4
SETTLED = 1440  # minutes until planning knows a day, which is not counted
NEAR_PEAK, FAR_PEAK = 0.87, 0.33  # of the limit
QUIET_BEFORE = 10  # minutes below the edge before a crossing counts
BUDGET_SHARE = 0.5  # of what adaptive planning costs


@dataclass(frozen=True)
class Result:
    """The cost of a policy, in dollars a month and 1,000 metrics, and its delays of detection in minutes."""

    policy: str
    dollars: float
    delays: Sequence[int]

    @property
    def percentiles(self) -> tuple[float, float]:
        """The median and the 99th percentile of the delays."""
        median, highest = np.percentile(self.delays, [50, 99])
        return float(median), float(highest)


def load(path: Path, minutes: int) -> Floats:
    """Return the first minutes of a trace; a value holds until the next one."""
    with gzip.open(path, "rt") as file:
        at, value = np.loadtxt(file, delimiter=",", skiprows=1, unpack=True)
    index = np.searchsorted(at, np.arange(minutes), side="right") - 1
    held: Floats = np.asarray(value, np.float32)[np.maximum(index, 0)]
    return held


def utilization_of(folder: Path) -> Floats:
    """Return the utilization of all traces, [series, minute]."""
    minutes = HISTORY + DAYS * 1440
    usage = np.stack([load(path, minutes) for path in sorted(folder.glob("*.csv.gz"))])
    peaks = np.where(np.arange(len(usage)) % 5 == 0, NEAR_PEAK, FAR_PEAK)[:, None]
    scaled: Floats = (usage / usage.max(axis=1, keepdims=True) * peaks).astype(np.float32)
    return scaled


def crossings(above: Flags) -> list[tuple[int, int]]:
    """Return series and minute of each crossing of the edge after SETTLED."""
    begins = above[:, 1:] & ~above[:, :-1]
    found = np.argwhere(begins) + np.array([0, 1])
    return [(s, m) for s, m in found.tolist() if m > SETTLED and not above[s, m - QUIET_BEFORE : m].any()]


async def simulate(
    policy: str,
    utilization: Floats,
    intervals: Intervals,
    budget: Callable[[Simulation], Budget] | None = None,
) -> Result:
    """Run one policy. Polls take place at the shortest interval."""
    fleet = Simulation(utilization, intervals, budget, fails=lambda minute: minute % intervals.shortest > 0)
    waiting = crossings(fleet.above())
    delays: list[int] = []
    await fleet.run(SETTLED)
    requested = fleet.requested
    for now in range(SETTLED, DAYS * 1440):
        await fleet.step()
        known = fleet.known_through()
        delays += [now - m - DELAY - 1 for s, m in waiting if m <= known[s]]
        waiting = [(s, m) for s, m in waiting if m > known[s]]
    per_minute = (fleet.requested - requested) / (DAYS * 1440 - SETTLED) / fleet.reads.size
    return Result(policy, 1000 * per_minute * MINUTES_PER_MONTH * DOLLARS_PER_METRIC, delays)


async def compare(utilization: Floats) -> list[Result]:
    """Run all policies, one after the other."""
    results = [
        await simulate("every minute", utilization, Intervals(1, 1, 1)),
        await simulate("every 5 minutes", utilization, Intervals(5, 5, 5)),
        await simulate("adaptive", utilization, ADAPTIVE),
        await simulate("adaptive, up to 60 minutes", utilization, Intervals(1, 60, 5)),
    ]
    dollars = results[2].dollars * 2 * len(utilization) / 1000 * BUDGET_SHARE

    def half(fleet: Simulation) -> Budget:
        return Budget(dollars, False, lambda: fleet.minute * 60.0, lambda: {ACCOUNT: fleet.requested})

    return [*results, await simulate("adaptive, half the budget", utilization, ADAPTIVE, half)]


def draw(results: Sequence[Result]) -> str:
    """Return the results as SVG: dollars to the right, the 99th percentile of the delay upwards."""
    most, latest = max(one.dollars for one in results), max(one.percentiles[1] for one in results) + 1
    marks = []
    for one in results:
        median, highest = one.percentiles
        x, y = 70 + 500 * one.dollars / most, 270 - 220 * highest / latest
        marks.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="5" fill="#2563eb"/>')
        label = f"{one.policy}: ${one.dollars:.0f}, {median:.0f} / {highest:.0f} min"
        marks.append(f'<text x="{x + 9:.0f}" y="{y + 4:.0f}">{label}</text>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 320" font-family="sans-serif" '
        'font-size="13">'
        '<rect width="860" height="320" fill="#fff"/>'
        '<path d="M70 40V270H640" fill="none" stroke="#666"/>'
        '<text x="70" y="28">delay of detection beyond CloudWatch\'s own: 99th percentile</text>'
        '<text x="400" y="300">dollars a month for 1,000 metrics</text>' + "".join(marks) + "</svg>\n"
    )


def main() -> None:
    """Compare the policies, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="?", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if not any(arguments.traces.glob("*.csv.gz")):
        print(f"no traces in {arguments.traces}: nothing was measured")
        return
    results = asyncio.run(compare(utilization_of(arguments.traces)))
    for one in results:
        median, highest = one.percentiles
        print(
            f"{one.policy:28} ${one.dollars:7.2f} a month for 1,000 metrics; {len(one.delays)} crossings "
            f"found after {median:.0f} min, p99 {highest:.0f}, at most {max(one.delays)}"
        )
    if arguments.picture:
        arguments.picture.write_text(draw(results))


if __name__ == "__main__":
    main()
