"""Stepping the alerts of 1,000,000 series: columns against one object each. `python bench/alerts.py`"""

import time
from collections.abc import Callable

import numpy as np

from rules.alerts import KEEP_FIRING_FOR, Alert, Breach, Ints, Pace, Rule, Samples, Terms, holds, step
from rules.band import Floats
from rules.lives import Lives, alerts, step_many

SERIES = 1_000_000
WINDOW = 32  # minutes of samples
NOW = 30_000_000
LIVE = 0.05  # of the series breach a rule
DIRTY = 0.05  # of the series have news


def terms(series: int) -> Terms:
    def everywhere(value: float) -> Floats:
        return np.full(series, value, np.float32)

    def paces(minutes: list[int]) -> Ints:
        return np.broadcast_to(np.array(minutes, np.int32)[:, None], (len(Rule), series))

    hold, keep_firing_for = ([column[rule] for rule in Rule] for column in (holds(5), KEEP_FIRING_FOR))
    stale_after = np.full(series, 15, np.int32)
    band = everywhere(0.4), everywhere(0.7), everywhere(0.9)
    return Terms(*band, paces(hold), paces(keep_firing_for), stale_after)


class Past:
    """Samples at random around a mean of each series: within the band, but for those that are live."""

    def __init__(self, live: float) -> None:
        random = np.random.default_rng(1)
        mean = np.where(random.random(SERIES) < live, 0.9, 0.55)
        spread = random.normal(0, 0.02, (SERIES, WINDOW))
        self.utilization = (mean[:, None] + spread).astype(np.float32)
        self.refused = np.zeros((SERIES, WINDOW), np.float32)

    def __call__(self, places: Ints, minutes: Ints) -> Samples:
        where = places, minutes % WINDOW
        return Samples(self.utilization[where], self.refused[where])


def median(run: Callable[[int], object], rounds: int = 9) -> float:
    """Milliseconds that a round takes."""
    took = []
    for n in range(rounds):
        start = time.perf_counter()
        run(n)
        took.append(time.perf_counter() - start)
    return sorted(took)[rounds // 2] * 1e3


def step_all(live: float) -> float:
    past, many, all_terms = Past(live), alerts(SERIES), terms(SERIES)
    places = np.arange(SERIES, dtype=np.int32)
    minutes = [np.full(SERIES, NOW + n, np.int32) for n in range(WINDOW)]
    read = [past(places, minute) for minute in minutes]
    for n in range(WINDOW - 9):
        step_many(many, minutes[n], read[n], all_terms)
    return median(lambda n: step_many(many, minutes[n - 9], read[n - 9], all_terms))


def advance(dirty: float) -> float:
    """Batches of five minutes, of a part of the series each, in turn."""
    past, lives, all_terms = Past(LIVE), Lives(WINDOW), terms(SERIES)
    parts = [np.arange(part, SERIES, round(1 / dirty), dtype=np.int32) for part in range(9)] if dirty else []
    for places in parts:
        lives.advance(places, np.full(places.size, NOW, np.int32), all_terms.of(places), past)

    def poll(n: int) -> None:
        places = parts[n] if dirty else np.empty(0, np.int32)
        lives.advance(places, np.full(places.size, NOW + 5, np.int32), all_terms.of(places), past)

    return median(poll)


def plain() -> float:
    """The simple way: one object an alert, one step after the other."""
    quiet, breach, pace = [Alert()] * len(Rule) * SERIES, Breach(False, False), Pace(5, 5, 15)
    return median(lambda n: [step(alert, NOW + n, breach, pace) for alert in quiet], 1)


def main() -> None:
    idle, live = step_all(0), step_all(LIVE)
    print(f"step {SERIES:,} series by a minute: {idle:.1f} ms, and {live:.1f} ms when {LIVE:.0%} are live")
    print(f"advance: {advance(0):.2f} ms without news, {advance(DIRTY):.1f} ms with 5 minutes of {DIRTY:.0%}")
    alone = plain()
    print(f"one object each: {alone:.0f} ms ({alone / idle:.0f}x)")


if __name__ == "__main__":
    main()
