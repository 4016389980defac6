"""The status of cells, of accounts and of the whole monitor, as the API reports it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.aws.failure import Failure
from monitor.aws.failure_class import PERMANENT_CLASSES, FailureClass
from monitor.aws.run_status import RunStatus
from monitor.schema.selector import Location

TAGS = "tags"  # the name under which reading tags is reported among the services
INACCESSIBLE_CLASSES = PERMANENT_CLASSES | {FailureClass.UNREACHABLE, FailureClass.DISABLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStatus:
    """The status of one account in one region.

    account: its id. name: the account's name in the configuration. collectors: the inventories by service,
    and under TAGS the reading of tags, if the configuration uses any. poll: the polls of metrics.
    """

    account: str
    region: str
    name: str
    collectors: Mapping[str, RunStatus]
    poll: RunStatus

    @property
    def is_down(self) -> bool:
        """Whether its metrics, or all of its services, failed several times in a row."""
        services = self.collectors.values()
        return _is_down(self.poll) or (bool(services) and all(map(_is_down, services)))


def _is_down(status: RunStatus) -> bool:
    """Whether several runs in a row failed in a way that lets no call succeed."""
    streaks = status.streaks.items()
    return any(streak.failures > 1 and kind in INACCESSIBLE_CLASSES for kind, streak in streaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """The status of one entry of `accounts`.

    account: the 12-digit id; empty while it is not known. access: the attempts to open the account.
    """

    name: str
    account: str = ""
    access: RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadStatus:
    """The last reload of the configuration: when, in epoch seconds, and why it was rejected."""

    at: float
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStatus:
    """The status of the monitor at one moment; immutable.

    cells: every cell that could be opened. accounts: the configured ones. inaccessible_accounts: why an
    account could not be opened, by its name. pending: what has not been read yet, in words.
    clock: whether this machine's clock agrees with AWS's.
    has_data: whether anything was read yet. is_judged: whether it was judged since.
    last_reload: None when the configuration was never reloaded.
    """

    cells: Sequence[CellStatus] = ()
    accounts: Sequence[AccountStatus] = ()
    inaccessible_accounts: Mapping[str, Failure] = field(default_factory=dict)
    pending: Sequence[str] = ()
    clock: RunStatus = field(default_factory=RunStatus)
    is_judged: bool = True
    has_data: bool = True
    last_reload: ReloadStatus | None = None

    @property
    def ready(self) -> bool:
        """Whether data was read and judged."""
        return not self.not_ready_reason

    @property
    def not_ready_reason(self) -> str:
        """The sentence that says why the monitor is not ready; empty when it is."""
        if self.has_data:
            return "" if self.is_judged else "the first judgement is pending"
        if self.pending:
            return f"not read yet: {', '.join(self.pending)}"
        return f"nothing is watched: {self._no_data_reason()}"

    def _no_data_reason(self) -> str:
        """The first failure, and how many more there are."""
        failures = [
            f"account {name}: {failed.sentence}" for name, failed in self.inaccessible_accounts.items()
        ]
        for cell in self.cells:
            statuses = (cell.poll, *cell.collectors.values())
            where = f"{cell.name or cell.account}, {cell.region}"
            failures += [f"{where}: {one.failures[0].sentence}" for one in statuses if one.failures]
        more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"{failures[0]}{more}" if failures else "everything that is configured is excluded"

    @property
    def accounts_up(self) -> Mapping[str, bool]:
        """Whether each account can be read, by its id, or by its name while the id is not known.

        Accounts that were not opened yet, or that have no cells, are left out.
        """
        found: dict[str, bool] = {}
        for one in self.accounts:
            cells = [cell for cell in self.cells if cell.account == one.account]
            if one.access.ended_at and (cells or one.access.failures):
                up = not one.access.failures and any(not cell.is_down for cell in cells)
                label = one.account or one.name
                found[label] = up or found.get(label, False)
        return found

    @property
    def is_complete(self) -> bool:
        """Whether every service of every cell had a successful inventory. Tags change no series."""
        runs = (one for cell in self.cells for service, one in cell.collectors.items() if service != TAGS)
        return not self.inaccessible_accounts and not self.pending and all(one.succeeded_at for one in runs)

    def has_inventory_of(self, labels: Mapping[str, str]) -> bool:
        """Whether the cell and service of a series, given by its labels, had a successful inventory."""
        runs = (cell.collectors.get(labels["service"]) for cell in self._cells_of(labels))
        return any(run is not None and run.succeeded_at is not None for run in runs)

    def is_unmonitored(self, labels: Mapping[str, str], services: Container[str]) -> bool:
        """Whether the cell or the service of a series is not in the configuration any more.

        services: those in the configuration. False while any account or service is not known yet.
        """
        is_monitored = any(self._cells_of(labels)) and labels["service"] in services
        return not self.inaccessible_accounts and not self.pending and not is_monitored

    def _cells_of(self, labels: Mapping[str, str]) -> Iterator[CellStatus]:
        key = labels["account"], labels["region"]
        return (cell for cell in self.cells if (cell.account, cell.region) == key)


def describe_failure(location: Location, failed: Failure) -> str:
    """One line for people: where a call failed, and how."""
    cell = f"{location.account}/{location.region} {location.service or 'metrics'}"
    return f"{cell if location.region else f'account {location.account_name}'}: {failed.sentence}"
