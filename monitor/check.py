"""`headroom check`: one full read of everything, judged once."""

import time
from collections.abc import Callable

from monitor.config import Config
from monitor.fleet import Fleet, Key
from monitor.judge import judge
from monitor.report import Report
from monitor.rows import rows_of
from monitor.telemetry import Telemetry
from monitor.watch import Watch

Wanted = Callable[[Key], bool]


async def check(config: Config, wanted: Wanted, tell: Callable[[int, int], None]) -> Report:
    """Look, read and judge once; `tell(done, steps)` is called as it goes on. Never raises for AWS."""
    fleet = Fleet()
    watch = Watch(config, fleet, Telemetry())
    try:
        await watch.once(tell)
    finally:
        await watch.close()
    judge(fleet, int(time.time() // 60))
    return Report(rows_of(fleet, wanted), watch.sentences())
