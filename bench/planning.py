"""Cost and delay of detection of several policies of reading metrics. `python bench/planning.py [traces]`

Each policy reads the usage of real traces from a simulated CloudWatch, minute by minute. A point is visible
up to two minutes after its minute, and one point in fifty another five minutes later. One point in five has
only a part of its value for a minute. The aggregate metric of all series has the sum of their visible points,
or, with one policy, delays and revisions of its own. A delay is counted from the first minute in which a
policy that reads everything in every minute can detect the same event. One series in five comes near its
limit: its peak is 87 % of the limit, and demand is throttled in the minutes near the peak. The peaks of the
other series are a third of their limits. The policies run five times, so that each trace comes near its limit
once.
The oracle is a policy that knows the future: in every minute, it reads the usage that is above the band and
the throttled demand; it reads all other usage as rarely as the intervals allow. No plan can cost less.
traces: a folder of `*.csv.gz` files with the columns minute and value; by default ../shared/traces.
`--picture FILE` draws the results as SVG.
"""

import argparse
import asyncio
import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from monitor.cost.prices import LIST_PRICES, MINUTES_PER_MONTH
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.intervals import Intervals
from monitor.planning.settings import BudgetTerms
from monitor.planning.spending import InMemorySpendingStore
from rules.arrays import Flags, Floats, Ints
from tests.monitor.fleet.fleets import ACCOUNT, NOW, SETTINGS
from tests.monitor.planning.simulation import ADAPTIVE, HISTORY, LIMIT, Demand, Publication, Simulation

DAYS = 4
WARM_UP = 1440  # minutes: the first day, in which the planner learns how usage rises; it is not counted
NEAR_PEAK, FAR_PEAK = 0.87, 0.33  # the peak utilization of series that come near their limits, and of others
THROTTLED_FROM = 0.97 * NEAR_PEAK  # the utilization from which demand is throttled
FOLDS = 5  # runs; in each, one trace in FOLDS comes near its limit
QUIET_BEFORE = 10  # minutes below the band's edge, or without throttling, before a crossing that counts
BUDGET_SHARE = 0.5  # the budget, as a share of what adaptive planning costs without a budget
MAX_DRAWN_DELAY = 30  # minutes
PUBLICATION_SEED = 5
COLOURS = ("#111827", "#6b7280", "#2563eb", "#059669", "#d97706", "#9333ea", "#dc2626")


class Aggregate(Enum):
    """Names how the metric of the throttled demand of all series together is published, if it is."""

    NONE = "not at all"
    SUM_OF_VISIBLE = "the sum of the visible points of the series"
    INDEPENDENT = "with delays and revisions of its own"


@dataclass(frozen=True)
class Result:
    """The cost of a policy in dollars a month for 1,000 metrics, and its delays of detection in minutes."""

    policy: str
    dollars: float
    delays: Sequence[int]
    throttled_delays: Sequence[int]

    def __str__(self) -> str:
        texts = [
            f"{len(delays)} {events} after {_percentiles(delays)} min, at most {max(delays)}"
            for events, delays in (("crossings", self.delays), ("throttlings", self.throttled_delays))
        ]
        return f"{self.policy:40} ${self.dollars:7.2f} a month for 1,000 metrics; " + "; ".join(texts)

    @property
    def label(self) -> str:
        """The policy, its cost and its delays, for the picture."""
        delays = f"{_percentiles(self.delays)} min, throttled {_percentiles(self.throttled_delays)} min"
        return f"{self.policy}: ${self.dollars:.0f}, {delays}"


def _percentiles(delays: Sequence[int]) -> str:
    """The median and the 99th percentile, as text."""
    return " / ".join(f"{value:.0f}" for value in np.percentile(delays, [50, 99]))


def join_results(results: Sequence[Result]) -> Result:
    """Return the results of one policy with several fleets as one result."""
    return Result(
        results[0].policy,
        float(np.mean([result.dollars for result in results])),
        [delay for result in results for delay in result.delays],
        [delay for result in results for delay in result.throttled_delays],
    )


def load(path: Path, minutes: int) -> Floats:
    """Return the values of a trace in its first minutes; a value holds until the next one."""
    with gzip.open(path, "rt") as file:
        value_minutes, value = np.loadtxt(file, delimiter=",", skiprows=1, unpack=True)
    index = np.searchsorted(value_minutes, np.arange(minutes), side="right") - 1
    by_minute: Floats = np.asarray(value, np.float32)[np.maximum(index, 0)]
    return by_minute


def utilization_of(folder: Path, fold: int) -> Floats:
    """Return the utilization of all traces, [series, minute]; those of a fold come near their limits."""
    minutes = HISTORY + DAYS * 1440
    usage = np.stack([load(path, minutes) for path in sorted(folder.glob("*.csv.gz"))])
    peaks = np.where(np.arange(len(usage)) % FOLDS == fold, NEAR_PEAK, FAR_PEAK)[:, None]
    scaled: Floats = (usage / usage.max(axis=1, keepdims=True) * peaks).astype(np.float32)
    return scaled


def crossings(above: Flags) -> list[tuple[int, int]]:
    """Return the series and the minute of each crossing after WARM_UP: where `above` becomes true.

    above: [series, minute]. A crossing counts only if `above` is false in the QUIET_BEFORE minutes before it.
    """
    becomes_true = above[:, 1:] & ~above[:, :-1]
    begins = np.argwhere(becomes_true) + np.array([0, 1])
    return [
        (series, minute)
        for series, minute in begins.tolist()
        if minute > WARM_UP and not above[series, minute - QUIET_BEFORE : minute].any()
    ]


async def simulate(
    policy: str,
    utilization: Floats,
    intervals: Intervals,
    budget: Callable[[Simulation], Budget] | None = None,
    aggregate: Aggregate = Aggregate.SUM_OF_VISIBLE,
) -> Result:
    """Run one policy, and return its result. The policy polls at its shortest interval."""
    throttled = (utilization >= THROTTLED_FROM).astype(np.float32)
    publication = Publication.random(
        utilization.shape,
        np.random.default_rng(PUBLICATION_SEED),
        independent_wholes=aggregate == Aggregate.INDEPENDENT,
    )
    has_aggregate = aggregate != Aggregate.NONE
    demand = Demand(utilization, throttled, has_aggregate, publication=publication)
    # A poll in any other minute fails, so that only the polls of the policy read anything.
    fleet = Simulation(demand, intervals, budget, fails=lambda minute: minute % intervals.shortest > 0)
    edge = SETTINGS.band.high * LIMIT * 60
    above_band = Detection(fleet, fleet.usage * 60, fleet.usage_rows, edge)
    saturated = Detection(fleet, throttled, fleet.throttled_rows, np.nextafter(np.float32(0), np.float32(1)))
    await fleet.run(WARM_UP)
    requested_before = fleet.requested
    for now in range(WARM_UP, DAYS * 1440):
        await fleet.step()
        above_band.note(now)
        saturated.note(now)
    per_minute = (fleet.requested - requested_before) / (DAYS * 1440 - WARM_UP)
    return Result(policy, _monthly_dollars(per_minute, utilization), above_band.delays, saturated.delays)


def _monthly_dollars(requested: float, utilization: Floats) -> float:
    """Return the dollars a month for 1,000 metrics. requested: metrics requested a minute for all series."""
    metrics = 2 * len(utilization)  # one of usage and one of throttled demand, for each series
    return 1000 * requested / metrics * MINUTES_PER_MONTH * LIST_PRICES.metric


class Detection:
    """The crossings that polls have not detected yet.

    A crossing is detected once a point of its minute, or of a later one, is stored and at least `edge`.
    points: the final points, [series, minute], from HISTORY minutes before the start. rows: the rows of the
    metrics. delays: of the detected crossings, in minutes after each can first be detected.
    """

    def __init__(self, fleet: Simulation, points: Floats, rows: Ints, edge: float) -> None:
        self._fleet, self._points, self._rows, self._edge = fleet, points, rows, edge
        self._undetected, self.delays = crossings(points[:, HISTORY:] >= edge), list[int]()

    def note(self, now: int) -> None:
        """Note the crossings detected in the minute `now`."""
        undetected = []
        for series, minute in self._undetected:
            if minute < now and self._is_stored(series, minute, now):
                self.delays.append(now - self._visible_at(series, minute))
            else:
                undetected.append((series, minute))
        self._undetected = undetected

    def _is_stored(self, series: int, minute: int, now: int) -> bool:
        minutes = np.arange(NOW + minute, NOW + now, dtype=np.int32)
        return bool((self._fleet.fleet.rings.at(self._rows[series], minutes) >= self._edge).any())

    def _visible_at(self, series: int, minute: int) -> int:
        """Return the first minute in which CloudWatch has a point of the crossing that is at least `edge`."""
        for now in range(minute + 1, DAYS * 1440):
            columns = np.arange(minute, now, dtype=np.int32) + np.int32(HISTORY)
            shares = self._fleet.publication.shares(columns, now + HISTORY)[series]
            if (self._points[series, columns] * shares >= self._edge).any():
                return now
        raise AssertionError(f"the crossing of series {series} in minute {minute} is never visible")


def oracle(utilization: Floats) -> Result:
    """Return the result of a policy that knows the future."""
    counted = utilization[:, HISTORY + WARM_UP :]
    above, throttled = counted >= SETTINGS.band.high, counted >= THROTTLED_FROM
    requests = np.where(above, 1, 1 / ADAPTIVE.longest) + throttled
    return Result("oracle", _monthly_dollars(float(requests.sum(axis=0).mean()), utilization), [0], [0])


async def compare(folder: Path, fold_count: int) -> list[Result]:
    """Run all policies, one after the other, each on a fleet for each fold; return their results."""
    fleets = [utilization_of(folder, fold) for fold in range(fold_count)]

    async def all_fleets(
        policy: str,
        intervals: Intervals,
        budget: Callable[[Simulation], Budget] | None = None,
        aggregate: Aggregate = Aggregate.SUM_OF_VISIBLE,
    ) -> Result:
        return join_results([await simulate(policy, fleet, intervals, budget, aggregate) for fleet in fleets])

    adaptive = await all_fleets("adaptive", ADAPTIVE)
    fleet_metrics = 2 * len(fleets[0])  # one of usage and one of throttled demand, for each series
    monthly_budget = adaptive.dollars / 1000 * fleet_metrics * BUDGET_SHARE

    def half_budget(fleet: Simulation) -> Budget:
        def clock() -> float:
            return fleet.minute * 60.0

        budget = Budget(
            InMemorySpendingStore(), clock, clock, lambda: {ACCOUNT: BilledAmounts(fleet.requested)}
        )
        budget.configure(BudgetTerms(monthly_budget))
        return budget

    return [
        await all_fleets("every minute", Intervals(1, 1, 1), aggregate=Aggregate.NONE),
        await all_fleets("every 5 minutes", Intervals(5, 5, 5), aggregate=Aggregate.NONE),
        adaptive,
        await all_fleets(
            "adaptive, aggregate published on its own", ADAPTIVE, aggregate=Aggregate.INDEPENDENT
        ),
        await all_fleets("adaptive, without aggregates", ADAPTIVE, aggregate=Aggregate.NONE),
        await all_fleets("adaptive, half the budget", ADAPTIVE, half_budget),
        join_results([oracle(fleet) for fleet in fleets]),
    ]


def draw(results: Sequence[Result]) -> str:
    """Return SVG with a curve for each policy: the share of events detected, by minutes of delay."""
    curves = []
    for n, result in enumerate(results):
        colour, points = COLOURS[n % len(COLOURS)], [f"{x:.0f},{y:.0f}" for x, y in _curve(result)]
        curves.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        curves.append(f'<text x="430" y="{150 + 18 * n}" fill="{colour}">{result.label}</text>')
    minutes = [f'<text x="{_x(m):.0f}" y="288">{m}</text>' for m in (0, 1, 2, 5, 10, 20)]
    shares = [f'<text x="24" y="{_y(share) + 4:.0f}">{share:.0%}</text>' for share in (0.0, 0.5, 0.9, 1.0)]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 320" font-family="sans-serif" '
        'font-size="13">'
        '<rect width="960" height="320" fill="#fff"/>'
        f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(MAX_DRAWN_DELAY):.0f}" fill="none" stroke="#666"/>'
        '<text x="24" y="28">share of crossings and throttlings that are detected; dollars a month for 1,000 '
        "metrics, median and 99th percentile of the delay</text>"
        '<text x="430" y="310">minutes later than by reading every minute</text>'
        + "".join(minutes + shares + curves)
        + "</svg>\n"
    )


def _curve(result: Result) -> Iterator[tuple[float, float]]:
    """Yield the corners of the curve of a policy."""
    delays, previous_share = np.sort([*result.delays, *result.throttled_delays]), 0.0
    for minutes in range(MAX_DRAWN_DELAY + 1):
        share = np.count_nonzero(delays <= minutes) / delays.size
        yield from ((_x(minutes), _y(previous_share)), (_x(minutes), _y(share)))
        previous_share = share


def _x(minutes: int) -> float:
    """Return the x coordinate of a delay; the first minutes have the most room."""
    return 70 + 860 * float(np.log1p(minutes) / np.log1p(MAX_DRAWN_DELAY))


def _y(share: float) -> float:
    return 270 - 220 * share


def main() -> None:
    """Compare the policies, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="?", type=Path, default=Path("../shared/traces"))
    parser.add_argument(
        "--folds", type=int, default=FOLDS, help="number of runs, each with another of the five fleets"
    )
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    if not any(arguments.traces.glob("*.csv.gz")):
        print(f"no traces in {arguments.traces}: nothing was measured")
        return
    results = asyncio.run(compare(arguments.traces, arguments.folds))
    for result in results:
        print(result)
    if arguments.picture:
        arguments.picture.write_text(draw(results))


if __name__ == "__main__":
    main()
