"""The expected peaks, from which the sizes of purchases are computed."""

import numpy as np
import pytest

from collectors.base import total
from monitor.fleet.fleet import Fleet
from monitor.forecast.history import UsageHistory
from monitor.forecast.peaks import expected_peaks
from monitor.forecast.recorder import Recorder
from rules.analogs import BINS_PER_DAY
from rules.forecast import BINS
from tests.monitor.forecast.test_recorder import NOW, Array, add_series, metric

SLOT = np.array([0], np.int32)


async def recorder_of(usage: Array) -> Recorder:
    """Return a recorder of one series that has this usage in the newest quarters of an hour."""
    fleet = Fleet()
    series = add_series(fleet, "a", total(metric("a")))
    recorder = Recorder(fleet, UsageHistory())
    await recorder.record(NOW)
    block, column = recorder.history.block_and_column(int(recorder.rows[series.slot]))
    columns = np.array([column], np.intp)
    block.put(columns, block.last_bin - len(usage) + 1, usage[:, None].astype(np.float32))
    return recorder


async def test_a_peak_shorter_than_a_hundredth_of_the_fortnight_is_ignored() -> None:
    usage = np.full(BINS, 10.0)
    usage[100:112] = 90  # 12 of 1,344 quarters: less than one in a hundred
    peaks = await expected_peaks(await recorder_of(usage), SLOT)
    assert peaks.peak[0] == pytest.approx(10, rel=1e-3)
    usage[112:116] = 90
    peaks = await expected_peaks(await recorder_of(usage), SLOT)
    assert peaks.peak[0] == pytest.approx(90, rel=1e-3)
    assert (peaks.known_bins[0], peaks.span_bins[0], peaks.throttled_days[0]) == (BINS, BINS, 0)


async def test_the_span_begins_at_the_oldest_known_quarter_and_includes_holes() -> None:
    usage = np.full(800, 10.0)
    usage[100:300] = np.nan
    peaks = await expected_peaks(await recorder_of(usage), SLOT)
    assert (peaks.known_bins[0], peaks.span_bins[0]) == (600, 800)


async def test_a_usage_of_constant_zero_has_a_peak_of_zero() -> None:
    peaks = await expected_peaks(await recorder_of(np.zeros(BINS)), SLOT)
    assert (peaks.peak[0], peaks.known_bins[0]) == (0, BINS)


async def test_a_series_without_a_history_has_no_peak() -> None:
    peaks = await expected_peaks(Recorder(Fleet(), UsageHistory()), SLOT)
    assert np.isnan(peaks.peak[0]) and peaks.known_bins[0] == 0


async def test_a_usage_that_grows_a_tenth_a_day_is_expected_to_double_within_a_week() -> None:
    usage = 5000 * 1.1 ** (np.arange(BINS) // BINS_PER_DAY)
    peaks = await expected_peaks(await recorder_of(usage), SLOT)
    assert peaks.weekly_growth[0] == pytest.approx(1.1**7 - 1, rel=1e-2)
    assert peaks.peak[0] == pytest.approx(usage[-1] * 1.1**7, rel=1e-2)
