"""Quality and speed of expected peaks. `python bench/expected_peak.py [traces]`

traces: a folder, by default ../shared/traces, as for `bench/forecast.py`. On each day of each trace, the
expected peak is compared with the real 99th percentile of the following 3 and 7 days, and so is the peak of
the past fortnight alone; with the trace as it is, with growth added, and doubled within the past fortnight.
Fails if a required score is missed.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.forecast import quarter_hour_maxima
from rules.analogs import DAY
from rules.expected_peak import expected_peak
from rules.forecast import BINS, SERIES_AT_ONCE
from rules.right_size import target_utilization
from rules.signals import Band

Floats = NDArray[np.float32]

SERIES: Final = 100_000
MISSING: Final = 0.01  # share of the measured bins
ROUNDS: Final = 40  # of SERIES_AT_ONCE series; the median is multiplied
MAX_SECONDS: Final = 1.0  # of CPU time for SERIES
MAX_LARGER: Final = 1.10  # the mean of sizes divided by those for the fortnight, with the traces as they are
MIN_PAST_DAYS: Final = 7
AHEAD_DAYS: Final = (3, 7)
STEP: Final = DAY + 17  # bins between two questions, so that they are asked at all hours
BAND: Final = Band()

# By name: return the changed usage of a trace. Arguments: its usage, and the numbers of its bins from now on.
CHANGES: Final[dict[str, Callable[[Floats, NDArray[np.int64]], Floats]]] = {
    "as it is": lambda usage, _: usage,
    "1 % a day": lambda usage, bins: usage * 1.01 ** ((bins - bins[0]) / DAY),
    "3 % a day": lambda usage, bins: usage * 1.03 ** ((bins - bins[0]) / DAY),
    "10 % a day": lambda usage, bins: usage * 1.1 ** ((bins - bins[0]) / DAY),
    "+3 % of the mean a day": lambda usage, bins: (
        usage + 0.03 * np.abs(usage).mean() * (bins - bins[0]) / DAY
    ),
    "doubled 7 days ago": lambda usage, bins: usage * np.where(bins < -7 * DAY, 1, 2),
    "doubled 3 days ago": lambda usage, bins: usage * np.where(bins < -3 * DAY, 1, 2),
}


def percentile(usage: Floats) -> float:
    """Return the 99th percentile of the known values."""
    known = np.sort(usage[np.isfinite(usage)])
    return float(known[int(np.ceil(0.99 * known.size)) - 1])


def questions(traces: list[Floats], change: str) -> Iterator[tuple[Floats, list[float]]]:
    """Yield the past fortnight of each question, and the real peaks of AHEAD_DAYS."""
    for trace in traces:
        for now in range(MIN_PAST_DAYS * DAY, trace.size - max(AHEAD_DAYS) * DAY + 1, STEP):
            usage = CHANGES[change](trace, np.arange(-now, trace.size - now))
            past = np.full(BINS, np.nan, np.float32)
            known = usage[max(0, now - BINS) : now]
            past[BINS - known.size :] = known
            real = [percentile(usage[now : now + days * DAY]) for days in AHEAD_DAYS]
            if percentile(past) > 0 and min(real) > 0:
                yield past, real


def score(traces: list[Floats], change: str) -> tuple[float, bool]:
    """Print how often the real peak is above the expected one.

    Returns the mean of the sizes divided by those for the fortnight alone, and whether fewer peaks leave the
    band.
    """
    pasts, reals = zip(*questions(traces, change), strict=True)
    real = np.array(reals)
    fortnight = np.array([percentile(past) for past in pasts])
    expected, growth = expected_peak(np.stack(pasts, axis=1))
    leaves = BAND.high / target_utilization(BAND)
    left = []
    for label, peaks in (("fortnight", fortnight), ("expected", expected)):
        ratio = real / peaks[:, None]
        left.append((ratio > leaves).mean(axis=0))
        texts = [
            f"{days} d: above {(one > 1).mean():.1%}, by {np.median(one[one > 1] - 1):.0%} (median), above "
            f"the band {(one > leaves).mean():.1%}, above the limit {(one > leaves / BAND.high).mean():.1%}"
            for days, one in zip(AHEAD_DAYS, ratio.T, strict=True)
        ]
        print(f"{change:22} {label:9} {'; '.join(texts)}")
    larger = expected / fortnight
    print(
        f"{change:22} {len(real)} questions, growth counted in {(growth > 0).mean():.1%}; sizes "
        f"{larger.mean():.3f} times as large in the mean, {np.median(larger):.3f} in the median",
        flush=True,
    )
    return float(larger.mean()), bool((left[1] <= left[0]).all())


def seconds() -> float:
    """Return the CPU seconds for the expected peaks of SERIES series with holes."""
    rng, times = np.random.default_rng(1), []
    usage = rng.random((BINS, SERIES_AT_ONCE), np.float32)
    usage[rng.random(usage.shape) < MISSING] = np.nan
    for _ in range(ROUNDS):
        start = time.process_time()
        expected_peak(usage)
        times.append(time.process_time() - start)
    return float(np.median(times)) * SERIES / SERIES_AT_ONCE


def main() -> None:
    """Score and measure expected peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("traces", nargs="?", type=Path, default=Path("../shared/traces"))
    folder = parser.parse_args().traces
    cost = seconds()
    print(f"{SERIES} series: {cost:.2f} s of CPU", flush=True)
    sys.path.insert(0, str(folder))
    harness = importlib.import_module("backtest")
    means = [harness.load(str(path)) for path in sorted(folder.glob("*.csv.gz"))]
    traces = [quarter_hour_maxima(mean[None, : mean.size // 3 * 3])[0] for mean in means]
    scores = {change: score(traces, change) for change in CHANGES}
    missed = [f"{change}: more peaks leave the band" for change, (_, fewer) in scores.items() if not fewer]
    if scores["as it is"][0] > MAX_LARGER:
        missed.append(f"sizes are more than {MAX_LARGER} times those for the fortnight")
    if cost > MAX_SECONDS:
        missed.append(f"more than {MAX_SECONDS} s")
    if missed:
        sys.exit("\n".join(["missed:", *missed]))


if __name__ == "__main__":
    main()
