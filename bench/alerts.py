"""Stepping the alerts of 1,000,000 series: columns against one object per alert. `python bench/alerts.py`"""

import time
from collections.abc import Callable

import numpy as np

from rules.alert_rules import BELOW_PENDING_FOR, KEEP_FIRING_FOR, Rule
from rules.alert_states import AlertStates, inactive_alerts, step_many
from rules.alerts import Alert, AlertCriteria, AlertDurations, Breach, Samples, step
from rules.arrays import Floats, Ints

SERIES = 1_000_000
WINDOW = 32  # minutes of samples
NOW = 30_000_000
BREACHING_SHARE = 0.05  # of the series: they breach a rule
UPDATED_SHARE = 0.05  # of the series: they have new samples
ROUNDS = 9  # measured rounds


def criteria(series_count: int) -> AlertCriteria:
    """Return the criteria of all rules, the same for all series."""

    def for_all(value: float) -> Floats:
        return np.full(series_count, value, np.float32)

    def durations(minutes_by_rule: list[int]) -> Ints:
        """Return minutes, [rule, series]."""
        return np.broadcast_to(np.array(minutes_by_rule, np.int32)[:, None], (len(Rule), series_count))

    pending_for, keep_firing_for = [BELOW_PENDING_FOR, 5, 5, 0], [KEEP_FIRING_FOR[rule] for rule in Rule]
    stale_after = np.full(series_count, 15, np.int32)
    band = for_all(0.4), for_all(0.7), for_all(0.9)
    return AlertCriteria(*band, durations(pending_for), durations(keep_firing_for), stale_after)


class RandomSamples:
    """Random samples of every series. breaching: the fraction of the series that are above the band."""

    def __init__(self, breaching: float) -> None:
        random = np.random.default_rng(1)
        mean = np.where(random.random(SERIES) < breaching, 0.9, 0.55)
        spread = random.normal(0, 0.02, (SERIES, WINDOW))
        self.utilization = (mean[:, None] + spread).astype(np.float32)
        self.throttled = np.zeros((SERIES, WINDOW), np.float32)

    def __call__(self, slots: Ints, minutes: Ints) -> Samples:
        index = slots, minutes % WINDOW
        return Samples.of_measured(self.utilization[index], self.throttled[index])


def median_milliseconds(run: Callable[[int], object], rounds: int = ROUNDS) -> float:
    """Return the median duration of `run` in milliseconds. run: takes the number of the round."""
    durations = []
    for n in range(rounds):
        start = time.perf_counter()
        run(n)
        durations.append(time.perf_counter() - start)
    return sorted(durations)[rounds // 2] * 1e3


def step_all(breaching: float) -> float:
    """Return the median milliseconds of one step of all alerts. breaching: the fraction that breaches."""
    samples, states, all_criteria = RandomSamples(breaching), inactive_alerts(SERIES), criteria(SERIES)
    slots = np.arange(SERIES, dtype=np.int32)
    minutes = [np.full(SERIES, NOW + n, np.int32) for n in range(WINDOW)]
    samples_of_minutes = [samples(slots, minute) for minute in minutes]

    def step_minute(n: int) -> None:
        step_many(states, minutes[n], samples_of_minutes[n], all_criteria)

    for n in range(WINDOW - ROUNDS):
        step_minute(n)
    return median_milliseconds(lambda n: step_minute(n - ROUNDS))  # negative: counted from the end


def advance(updated_share: float) -> float:
    """Return the median milliseconds in which the alerts of a share of the series advance by five minutes.

    No two rounds advance the same series.
    """
    samples, states, all_criteria = RandomSamples(BREACHING_SHARE), AlertStates(WINDOW), criteria(SERIES)
    distance = round(1 / updated_share) if updated_share else 0
    first_slots = range(ROUNDS) if updated_share else ()
    slots_by_round = [np.arange(first, SERIES, distance, dtype=np.int32) for first in first_slots]
    for slots in slots_by_round:
        states.advance(slots, np.full(slots.size, NOW, np.int32), all_criteria.take(slots), samples)

    def advance_part(n: int) -> None:
        slots = slots_by_round[n] if updated_share else np.empty(0, np.int32)
        states.advance(slots, np.full(slots.size, NOW + 5, np.int32), all_criteria.take(slots), samples)

    return median_milliseconds(advance_part)


def step_objects() -> float:
    """Return the milliseconds of one step with one object per alert, one alert after the other."""
    alerts, breach, durations = (
        [Alert()] * len(Rule) * SERIES,
        Breach(False, False),
        AlertDurations(5, 5, 15),
    )
    return median_milliseconds(lambda n: [step(alert, NOW + n, breach, durations) for alert in alerts], 1)


def main() -> None:
    quiet_milliseconds, breaching_milliseconds = step_all(0), step_all(BREACHING_SHARE)
    print(
        f"step {SERIES:,} series by a minute: {quiet_milliseconds:.1f} ms without a breach, "
        f"and {breaching_milliseconds:.1f} ms when {BREACHING_SHARE:.0%} breach"
    )
    print(
        f"advance: {advance(0):.2f} ms without new samples, "
        f"{advance(UPDATED_SHARE):.1f} ms with 5 minutes of {UPDATED_SHARE:.0%}"
    )
    objects_milliseconds = step_objects()
    print(
        f"one object per alert: {objects_milliseconds:.0f} ms "
        f"({objects_milliseconds / quiet_milliseconds:.0f}x)"
    )


if __name__ == "__main__":
    main()
