"""Episodes near limits are found in the stored history and the journal, without a request to AWS."""

import numpy as np

from collectors.base import total
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.snapshot import Snapshot
from monitor.forecast.history import UsageHistory
from monitor.forecast.recorder import Recorder
from monitor.forecast.stored_lookback import stored_lookback
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.forecast.test_recorder import NOW, add_series, metric, write_points


async def test_quarter_hours_near_the_present_limit_are_an_episode() -> None:
    fleet, values = Fleet(), np.full(180, 50.0)
    values[60:80] = 95
    series = add_series(fleet, "a", total(metric("a")))
    write_points(fleet, "a", values)
    judge(fleet, NOW)
    recorder = Recorder(fleet, UsageHistory())
    await recorder.record(NOW)
    lookback = await stored_lookback(recorder, lambda: Snapshot.of(fleet, {}), MemoryStore(), 14)
    (episode,) = lookback.episodes
    assert episode.series.key == series.key
    assert (episode.end - episode.begin, round(episode.usage)) == (30, 95)
    assert (lookback.series, lookback.has_journal, len(lookback.minutes)) == (
        1,
        True,
        14 * 24 * 60 + NOW % 15,
    )
    assert 0 < lookback.known_days < 1
