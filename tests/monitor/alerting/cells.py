"""Simulates how `monitor.polling.watcher` reads the cells of accounts, at times that a test sets."""

from collections.abc import Callable, Sequence

from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, CellStatus, MonitorStatus
from monitor.polling.timings import DEFAULT_TIMINGS

POLL_INTERVAL, INVENTORY_INTERVAL = 300.0, 600.0  # seconds between two reads
METRICS = ""  # in place of a service: a read of metrics
FailuresOf = Callable[[str, str, str], Sequence[Failure]]  # takes account, region and service


class SimulatedCells:
    """The cells of accounts.

    failures_of: returns the failures of a read. name: the name of all accounts; if it is empty, names are
    made from the ids.
    """

    def __init__(
        self,
        accounts: Sequence[str],
        regions: Sequence[str],
        services: Sequence[str],
        failures_of: FailuresOf,
    ) -> None:
        self.failures_of, self.name = failures_of, ""
        self._runs = {
            (account, region, service): RunStatus()
            for account in accounts
            for region in regions
            for service in (METRICS, *services)
        }
        self._due_at = dict.fromkeys(self._runs, 0.0)

    def step(self, now: float) -> MonitorStatus:
        """Read what is due at `now`, in epoch seconds, and return the status after it."""
        for target, run in self._runs.items():
            if now >= self._due_at[target]:
                run.start(now)
                run.end(self.failures_of(*target), now)
                interval = POLL_INTERVAL if target[2] == METRICS else INVENTORY_INTERVAL
                delay = DEFAULT_TIMINGS.confirmation_delay if run.needs_confirmation else interval
                self._due_at[target] = now + delay
        return self.status

    @property
    def status(self) -> MonitorStatus:
        """The status after the reads so far."""
        cells: dict[tuple[str, str], dict[str, RunStatus]] = {}
        for (account, region, service), run in self._runs.items():
            cells.setdefault((account, region), {})[service] = run
        return MonitorStatus(
            cells=[
                CellStatus(
                    account=account,
                    region=region,
                    name=self._name_of(account),
                    collectors={service: run for service, run in runs.items() if service != METRICS},
                    poll=runs[METRICS],
                )
                for (account, region), runs in cells.items()
            ],
            accounts=[
                AccountStatus(name=self._name_of(account), account=account, access=RunStatus())
                for account in dict.fromkeys(account for account, _ in cells)
            ],
        )

    def _name_of(self, account: str) -> str:
        return self.name or f"name-{account[:3]}"
