"""Quality and speed of expected peaks. `python bench/expected_peak.py [traces]`

traces: a folder, by default ../shared/traces, as for `bench/forecast.py`. Two peaks are computed about once a
day in each trace: the expected peak, and the peak of the past fortnight. Both are compared with the real
peak, the 99th percentile of the following 3 and 7 days. This is done with each trace as it is, with growth
added, and with usage that doubled within the past fortnight. Fails if a required score is missed.
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
from rules.analogs import BINS_PER_DAY
from rules.expected_peak import expected_peak
from rules.forecast import BINS, SERIES_AT_ONCE
from rules.right_size import target_utilization
from rules.signals import Band

Floats = NDArray[np.float32]

SERIES: Final = 100_000
MISSING_SHARE: Final = 0.01  # of the bins of the measured series
ROUNDS: Final = 40  # measured calls, each with SERIES_AT_ONCE series
MAX_SECONDS: Final = 1.0  # of CPU time for SERIES
MAX_SIZE_RATIO: Final = 1.10  # mean of expected peak / peak of the fortnight, with the traces as they are
MIN_PAST_DAYS: Final = 7
DAYS_AHEAD: Final = (3, 7)
STEP: Final = BINS_PER_DAY + 17  # bins between two questions, so that they are asked at all hours
BAND: Final = Band()

# By name: returns the changed usage of a trace, given its usage and its bins: 0 is now, -1 the bin before.
CHANGES: Final[dict[str, Callable[[Floats, NDArray[np.int64]], Floats]]] = {
    "as it is": lambda usage, _: usage,
    "1 % a day": lambda usage, bins: usage * 1.01 ** ((bins - bins[0]) / BINS_PER_DAY),
    "3 % a day": lambda usage, bins: usage * 1.03 ** ((bins - bins[0]) / BINS_PER_DAY),
    "10 % a day": lambda usage, bins: usage * 1.1 ** ((bins - bins[0]) / BINS_PER_DAY),
    "+3 % of the mean a day": lambda usage, bins: (
        usage + 0.03 * np.abs(usage).mean() * (bins - bins[0]) / BINS_PER_DAY
    ),
    "doubled 7 days ago": lambda usage, bins: usage * np.where(bins < -7 * BINS_PER_DAY, 1, 2),
    "doubled 3 days ago": lambda usage, bins: usage * np.where(bins < -3 * BINS_PER_DAY, 1, 2),
}


def percentile_99(usage: Floats) -> float:
    """Return the 99th percentile of the known values."""
    values = np.sort(usage[np.isfinite(usage)])
    return float(values[int(np.ceil(0.99 * values.size)) - 1])


def questions(traces: list[Floats], change: str) -> Iterator[tuple[Floats, list[float]]]:
    """Yield the usage of the past fortnight, and the real peaks of each of DAYS_AHEAD, of each question."""
    for trace in traces:
        for now in range(MIN_PAST_DAYS * BINS_PER_DAY, trace.size - max(DAYS_AHEAD) * BINS_PER_DAY + 1, STEP):
            usage = CHANGES[change](trace, np.arange(-now, trace.size - now))
            past = np.full(BINS, np.nan, np.float32)
            past_usage = usage[max(0, now - BINS) : now]
            past[BINS - past_usage.size :] = past_usage
            real = [percentile_99(usage[now : now + days * BINS_PER_DAY]) for days in DAYS_AHEAD]
            if percentile_99(past) > 0 and min(real) > 0:
                yield past, real


def score(traces: list[Floats], change: str) -> tuple[float, bool]:
    """Print how often the real peak is above the expected peak, and above the peak of the fortnight.

    Returns the mean of expected peak / peak of the fortnight, and whether no more real peaks leave the band
    if the limit is chosen by the expected peak than if it is chosen by the peak of the fortnight.
    """
    pasts, reals = zip(*questions(traces, change), strict=True)
    real = np.array(reals)
    fortnight = np.array([percentile_99(past) for past in pasts])
    expected, growth = expected_peak(np.stack(pasts, axis=1))
    band_ratio = BAND.high / target_utilization(BAND)  # real peak / counted peak at the band's upper edge
    leaving_shares = []
    for label, peaks in (("fortnight", fortnight), ("expected", expected)):
        ratio = real / peaks[:, None]
        leaving_shares.append((ratio > band_ratio).mean(axis=0))
        texts = [
            f"{days} d: above {(ratios > 1).mean():.1%}, by {np.median(ratios[ratios > 1] - 1):.0%} (median)"
            f", above the band {(ratios > band_ratio).mean():.1%}, "
            f"above the limit {(ratios > band_ratio / BAND.high).mean():.1%}"
            for days, ratios in zip(DAYS_AHEAD, ratio.T, strict=True)
        ]
        print(f"{change:22} {label:9} {'; '.join(texts)}")
    size_ratio = expected / fortnight
    print(
        f"{change:22} {len(real)} questions, growth counted in {(growth > 0).mean():.1%}; sizes "
        f"{size_ratio.mean():.3f} times as large in the mean, {np.median(size_ratio):.3f} in the median",
        flush=True,
    )
    return float(size_ratio.mean()), bool((leaving_shares[1] <= leaving_shares[0]).all())


def cpu_seconds() -> float:
    """Return the CPU seconds for the expected peaks of SERIES series with holes."""
    rng, times = np.random.default_rng(1), []
    usage = rng.random((BINS, SERIES_AT_ONCE), np.float32)
    usage[rng.random(usage.shape) < MISSING_SHARE] = np.nan
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
    cost = cpu_seconds()
    print(f"{SERIES} series: {cost:.2f} s of CPU", flush=True)
    sys.path.insert(0, str(folder))
    harness = importlib.import_module("backtest")
    means = [harness.load(str(path)) for path in sorted(folder.glob("*.csv.gz"))]
    traces = [quarter_hour_maxima(mean[None, : mean.size // 3 * 3])[0] for mean in means]
    scores = {change: score(traces, change) for change in CHANGES}
    missed_scores = [
        f"{change}: more peaks leave the band" for change, (_, no_more) in scores.items() if not no_more
    ]
    if scores["as it is"][0] > MAX_SIZE_RATIO:
        missed_scores.append(
            f"expected peaks are more than {MAX_SIZE_RATIO} times the peaks of the fortnight in the mean"
        )
    if cost > MAX_SECONDS:
        missed_scores.append(f"more than {MAX_SECONDS} s")
    if missed_scores:
        sys.exit("\n".join(["missed:", *missed_scores]))


if __name__ == "__main__":
    main()
