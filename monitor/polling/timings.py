"""The intervals, time-outs and clock of polling that no user configures."""

from dataclasses import dataclass

from monitor.lib.schedule import SYSTEM_CLOCK, LoopClock, Schedule
from monitor.polling.quota_book import QUOTA_INTERVAL
from monitor.polling.shared_calls import COMBINE_WAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingTimings:
    """Intervals and time-outs in seconds, and the clock of all schedules.

    open_retry_interval: the time between attempts to open an account, or to list an organization's accounts.
    organization_interval: the time between scheduled lists of an organization's accounts.
    min_listing_interval: the least time between any two of these lists, as each denied call requests a list.
    confirmation_delay: the wait before a denied call is repeated, as a single denial raises no alert.
    tags_timeout: how long the first poll of a cell waits for the tags of its resources.
    prior_services_timeout: how long a service that reads last waits for the first inventories of the others.
    first_polls_interval: the time between polls while a cell's first inventory runs.
    quota_interval: the time between reads of a quota.
    quota_retry_interval: the time between attempts to read a quota after a failure.
    link_interval: the time between lists of the accounts that are linked to a monitoring account.
    combine_wait: how long the requests of an account wait for the requests of other accounts, to share calls.
    stop_timeout: how long to wait for the loops of an account to end.
    region_interval: the time between checks whether a region has been enabled.
    waiting_interval: the time between inventories of a service while some of its resources wait to be read.
    """

    open_retry_interval: float = 60.0
    organization_interval: float = 1800.0
    min_listing_interval: float = 30.0
    confirmation_delay: float = 60.0
    tags_timeout: float = 10.0
    prior_services_timeout: float = 600.0
    first_polls_interval: float = 10.0
    quota_interval: float = QUOTA_INTERVAL
    quota_retry_interval: float = 600.0
    link_interval: float = 1800.0
    combine_wait: float = COMBINE_WAIT
    stop_timeout: float = 5.0
    region_interval: float = 3600.0
    waiting_interval: float = 60.0
    clock: LoopClock = SYSTEM_CLOCK

    def schedule(self, name: str, interval: float, phase: str = "") -> Schedule:
        """Return a schedule whose clock is that of these timings. Its parameters are those of `Schedule`."""
        return Schedule(name, interval, self.clock, phase)


DEFAULT_TIMINGS = PollingTimings()
