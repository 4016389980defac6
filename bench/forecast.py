"""Quality and speed of forecasts. `python bench/forecast.py [traces]`; fails if a required score is missed.

traces: a folder, by default ../shared/traces. It holds real traces, and a harness (`backtest.py`) that asks
questions about them and scores the answers. `--fit` fits the coefficients of the forecast's logistic
regression anew, and scores them on traces that were left out of the fit.
"""

import argparse
import importlib
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rules.analogs import BINS_PER_DAY, Past, logistic
from rules.forecast import BINS, SERIES_AT_ONCE, forecast
from rules.forecast_features import FEATURES, HORIZONS, Crossings, features

Floats = NDArray[np.floating]

# How the harness chooses limits. Each rule: the part of a trace from which it takes them, and the growth a
# day that it adds to the trace.
LIMIT_RULES: Final = (("future", 0.0), ("future", 0.03), ("history", 0.0), ("history", 0.03))
# By horizon in minutes: the least F1, the highest Brier score and the highest calibration error. They are
# required for limits by the first of LIMIT_RULES. For limits by any rule, the Brier score must be at most
# that of a forecast that never expects the limit.
REQUIRED_SCORES: Final = {
    60: (0.28, 0.027, 0.03),
    360: (0.45, 0.092, 0.03),
    1440: (0.66, 0.175, 0.05),
    4320: (0.84, 0.145, 0.10),
}
SERIES: Final = 100_000
SERIES_PER_CALL: Final = 500  # in the measured calls
FOLDS: Final = 5
PENALTY: Final = 2.0  # L2, on the coefficients of standardised features
MAX_STEPS: Final = 40  # of Newton's method
TOLERANCE: Final = 1e-6  # the change of a coefficient at which Newton's method ends


@dataclass(frozen=True)
class Cases:
    """The questions of one horizon, and their answers, by case.

    horizon: in minutes. history: usage, [case, BINS]. crossed: whether usage reaches the limit within the
    horizon. minutes: how many until usage reaches the limit; NaN if it does not. far: whether the limit is
    above the whole trace. trace: the number of the trace. rule: the index in LIMIT_RULES.
    """

    horizon: int
    history: NDArray[np.float32]
    limit: Floats
    crossed: NDArray[np.bool_]
    minutes: Floats
    far: NDArray[np.bool_]
    trace: NDArray[np.int64]
    rule: NDArray[np.int64]


def quarter_hour_maxima(means: Floats) -> NDArray[np.float32]:
    """Return the highest of the three five-minute means of each quarter of an hour."""
    highest: NDArray[np.float32] = means.reshape(len(means), -1, 3).max(axis=2).astype(np.float32)
    return highest


def collect(harness: ModuleType, folder: Path) -> list[Cases]:
    """Return the questions with all LIMIT_RULES, one `Cases` per horizon."""
    by_rule = [harness.collect(str(folder), growth, part) for part, growth in LIMIT_RULES]
    return [
        _join(HORIZONS[i], [by_horizon[name] for by_horizon in by_rule])
        for i, name in enumerate(harness.HORIZONS)
    ]


def _join(horizon: int, parts: list[tuple[Any, ...]]) -> Cases:
    """Return the harness's questions of one horizon. parts: by LIMIT_RULES, the fields of Cases until trace.

    The history has five-minute means.
    """
    history = np.concatenate([quarter_hour_maxima(part[0]) for part in parts])
    limit, crossed, minutes, far, trace = (np.concatenate([part[i] for part in parts]) for i in range(1, 6))
    rule = np.repeat(np.arange(len(parts)), [len(part[1]) for part in parts])
    return Cases(horizon, history, limit, crossed, minutes, far, trace, rule)


def show_scores(
    harness: ModuleType, label: str, cases: Cases, probability: Floats, minutes: Floats
) -> list[str]:
    """Print the harness's scores of forecasts, by each of LIMIT_RULES. Return the required scores missed."""
    missed = []
    for rule, (part, growth) in enumerate(LIMIT_RULES):
        chosen = cases.rule == rule
        score = harness.score(
            *(probability[chosen], minutes[chosen], cases.crossed[chosen], cases.minutes[chosen]),
            *(cases.far[chosen], cases.horizon),
        )
        never_brier = float(np.mean(cases.crossed[chosen]))  # of a forecast that always says never
        print(
            f"{label:12} {cases.horizon:5} min, limits {part:8} growth {growth:4.2f}: F1 {score['f1']:.3f}"
            f"  Brier {score['brier']:.4f} (never: {never_brier:.4f})  ECE {score['ece']:.3f}"
            f"  false alarms (limit never reached) {score['far']:.1%}"
            f"  error of the time {score['eta_err']:.2f} of the horizon"
        )
        least_f1, highest_brier, highest_ece = (
            REQUIRED_SCORES[cases.horizon] if rule == 0 else (0.0, 1.0, 1.0)
        )
        is_missed = {
            f"F1 {score['f1']:.3f}, required at least {least_f1}": score["f1"] < least_f1,
            f"Brier {score['brier']:.4f}, required at most {highest_brier}": score["brier"] > highest_brier,
            f"ECE {score['ece']:.3f}, required at most {highest_ece}": score["ece"] > highest_ece,
            f"Brier {score['brier']:.4f}, required at most {never_brier:.4f} (always never)": score["brier"]
            > never_brier,
        }
        missed += [f"{label}, {cases.horizon} min, {part}: {text}" for text, yes in is_missed.items() if yes]
    return missed


def score(harness: ModuleType, cases: Cases) -> list[str]:
    """Print the scores of Headroom's forecasts; return the required scores that are missed."""
    horizon_index = HORIZONS.index(cases.horizon)
    forecasts = forecast(cases.history, cases.limit)
    return show_scores(
        harness,
        "forecast",
        cases,
        forecasts.probability[:, horizon_index].astype(float),
        forecasts.minutes[:, 1],
    )


def design_matrix(cases: Cases) -> Floats:
    """Return a column of ones and the features of all cases, [case, 1 + feature]."""
    columns = [np.ones((1, len(cases.limit)))]
    columns.append(np.concatenate(list(_features(cases)), axis=1))
    return np.concatenate(columns).T


def _features(cases: Cases) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(cases.limit), SERIES_AT_ONCE):
        part = slice(first, first + SERIES_AT_ONCE)
        past, limit = Past(np.ascontiguousarray(cases.history[part].T)), cases.limit[part].astype(np.float32)
        with np.errstate(all="ignore"):
            yield features(past, limit, Crossings.of(past, limit), cases.horizon)[0]


def fit(x: Floats, y: NDArray[np.bool_]) -> Floats:
    """Return the coefficients of a logistic regression, each 0 or of the sign opposite to its feature's.

    The sign of a feature is its value in FEATURES.
    """
    signs = np.array([0, *(-sign for sign in FEATURES.values())])
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    mean[0], deviation[0] = 0, 1
    z, penalty = (x - mean) / deviation, PENALTY * np.diag(np.arange(x.shape[1]) > 0)
    weight = np.zeros(x.shape[1])
    for _ in range(MAX_STEPS):
        p = logistic(z @ weight)
        gradient = z.T @ (p - y) + penalty @ weight
        # A coefficient at 0 stays there while the gradient would give it the wrong sign.
        free = np.flatnonzero((signs == 0) | (weight != 0) | (-gradient * signs > 0))
        hessian = (z[:, free] * (p * (1 - p))[:, None]).T @ z[:, free] + penalty[np.ix_(free, free)]
        change = np.zeros_like(weight)
        change[free] = -np.linalg.solve(hessian, gradient[free])
        has_wrong_sign = (weight + change) * signs < 0
        change[has_wrong_sign] = -weight[has_wrong_sign]
        weight += change
        if np.abs(change).max() < TOLERANCE:
            break
    coefficients: Floats = weight / deviation
    coefficients[0] = weight[0] - (weight * mean / deviation).sum()
    return coefficients


def fit_all(harness: ModuleType, cases: Cases) -> list[str]:
    """Print the coefficients of a horizon, and their scores on traces that were left out of the fit.

    Returns the required scores that are missed.
    """
    x, y = design_matrix(cases), cases.crossed
    print(f"    {cases.horizon}: ({', '.join(f'{value:.2f}' for value in fit(x, y))}),")
    fold = (np.random.default_rng(1).permutation(cases.trace.max() + 1) % FOLDS)[cases.trace]
    probability = np.empty(len(y))
    for held_out in range(FOLDS):
        probability[fold == held_out] = logistic(
            x[fold == held_out] @ fit(x[fold != held_out], y[fold != held_out])
        )
    return show_scores(harness, "other traces", cases, probability, np.full(len(y), np.nan))


def measure() -> None:
    """Print what forecasts of 100,000 series cost: CPU time, in all and of the longest call, and memory."""
    rng = np.random.default_rng(1)
    day = 1 + np.sin(np.linspace(0, 2 * np.pi * BINS / BINS_PER_DAY, BINS, dtype=np.float32))
    history = np.empty((SERIES, BINS), np.float16)
    for row in history:
        row[:] = day * rng.uniform(0.1, 0.4) + rng.random(BINS, np.float32) * 0.2
    limit = rng.uniform(0.3, 2, SERIES).astype(np.float32)
    start, longest = time.process_time(), 0.0
    for first in range(0, SERIES, SERIES_PER_CALL):
        call_start = time.process_time()
        call = slice(first, first + SERIES_PER_CALL)
        forecast(history[call], limit[call])
        longest = max(longest, time.process_time() - call_start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{SERIES} series, {len(HORIZONS)} horizons: {time.process_time() - start:.1f} s of CPU, at most "
        f"{longest * 1000:.0f} ms for {SERIES_PER_CALL} series; peak {peak:.0f} MiB",
        flush=True,
    )


def answer(history: Floats, limit: Floats, horizon: int) -> tuple[Floats, Floats]:
    """Answer the harness's questions: `backtest.py FOLDER --vector bench.forecast:answer`."""
    forecasts = forecast(quarter_hour_maxima(history), limit)
    return forecasts.probability[:, HORIZONS.index(horizon)], forecasts.minutes[:, 1]


def main() -> None:
    """Score and measure forecasts, or fit them anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="?", type=Path, default=Path("../shared/traces"))
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    if not arguments.fit:
        measure()
    sys.path.insert(0, str(arguments.traces))
    harness = importlib.import_module("backtest")
    check = fit_all if arguments.fit else score
    missed = [text for cases in collect(harness, arguments.traces) for text in check(harness, cases)]
    if missed:
        sys.exit("\n".join(["missed:", *missed]))


if __name__ == "__main__":
    main()
