"""The status of cells, of accounts and of the whole monitor, as the API reports it."""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collectors.registry import ACTIVITY, TAGS
from collectors.resource import Resource
from monitor.aws.call_rate import LoweredRate
from monitor.aws.failure import Failure
from monitor.aws.failure_class import PERMANENT_CLASSES, FailureClass
from monitor.aws.next_steps import next_step
from monitor.aws.run_status import RunStatus
from monitor.schema.selector import Location
from rules.plurals import agreeing

INACCESSIBLE_CLASSES = PERMANENT_CLASSES | {FailureClass.UNREACHABLE, FailureClass.DISABLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class CellStatus:
    """The status of one account in one region.

    account: the account's id. name: the account's name in the configuration. collectors: the runs of the
    inventories by service; under TAGS the runs that read tags, if the configuration uses tags; under LINKS
    the runs that list the accounts linked to a monitoring account; under ACTIVITY the runs that list the
    metrics with recent points. poll: the polls of metrics. signer: the monitoring account that reads this
    account, if this account has no role. lowered_rates: the rates of the calls that AWS throttles.
    requests_unknown_reason: why the requests for quota increases are unknown; empty if they are known.
    """

    account: str
    region: str
    name: str
    collectors: Mapping[str, RunStatus]
    poll: RunStatus
    signer: str = ""
    lowered_rates: Sequence[LoweredRate] = ()
    requests_unknown_reason: str = ""

    @property
    def is_read_without_role(self) -> bool:
        """True if there is no role in the account, so that a monitoring account reads it."""
        return self.signer != ""

    @property
    def is_down(self) -> bool:
        """True if the polls of metrics, or the inventories of all services, failed several times in a row."""
        services = self.collectors.values()
        return _is_down(self.poll) or (bool(services) and all(map(_is_down, services)))


def _is_down(status: RunStatus) -> bool:
    """Return true if several runs in a row had a failure that lets no call succeed."""
    streaks = status.streaks.items()
    return any(
        streak.failed_runs > 1 and failure_class in INACCESSIBLE_CLASSES for failure_class, streak in streaks
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """The status of one entry of `accounts`.

    account: the 12-digit id; empty while it is not known. access: the attempts to open the account.
    disabled_regions: the configured regions that are not read, as the account has not enabled them.
    """

    name: str
    account: str = ""
    access: RunStatus
    disabled_regions: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationStatus:
    """The status of an organization whose accounts are watched.

    title: the organization's name in messages. listing: the runs that list its accounts. accounts: the number
    of its accounts that are watched. is_known: whether this or an earlier process has listed its accounts.
    """

    title: str
    listing: RunStatus
    accounts: int = 0
    is_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadStatus:
    """The last reload of the configuration. at: its time in epoch seconds. error: why it was rejected."""

    at: float
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorStatus:
    """The status of the monitor at one moment; immutable.

    cells: every cell that could be opened. accounts: the configured accounts. inaccessible_accounts: why an
    account could not be opened, by the account's name. organizations: the organizations whose accounts are
    watched. departed_accounts: why an account of an organization is no longer watched, by the account's id.
    pending: the data that has not been read yet, in words. clock: the checks of this machine's clock against
    AWS's clock. has_data: whether any data was read. is_judged: whether that data was judged. signals_off:
    the ids of the signals that are read only on request. last_reload: the last reload of the configuration;
    None if there was none.
    """

    cells: Sequence[CellStatus] = ()
    accounts: Sequence[AccountStatus] = ()
    inaccessible_accounts: Mapping[str, Failure] = field(default_factory=dict)
    organizations: Sequence[OrganizationStatus] = ()
    departed_accounts: Mapping[str, str] = field(default_factory=dict)
    pending: Sequence[str] = ()
    clock: RunStatus = field(default_factory=RunStatus)
    is_judged: bool = True
    has_data: bool = True
    signals_off: Sequence[str] = ()
    last_reload: ReloadStatus | None = None

    @property
    def without_clock(self) -> "MonitorStatus":
        """A copy without the checks of the clock, which change at each judgement."""
        return replace(self, clock=RunStatus())

    @property
    def ready(self) -> bool:
        """True if data was read and judged."""
        return not self.not_ready_reason

    @property
    def not_ready_reason(self) -> str:
        """The sentence that says why the monitor is not ready; empty when it is ready."""
        if self.has_data:
            return "" if self.is_judged else "the first judgement is pending"
        if self.pending:
            return f"not read yet: {', '.join(self.pending)}"
        return f"nothing is watched: {self._no_data_reason()}"

    def _no_data_reason(self) -> str:
        """Return the first failure, and the number of further failures, in words."""
        failures = [
            f"{organization.title}: {failure.sentence}"
            for organization in self.organizations
            for failure in organization.listing.failures
        ]
        failures += [
            f"account {name}: {failure.sentence}" for name, failure in self.inaccessible_accounts.items()
        ]
        for cell in self.cells:
            statuses = (cell.poll, *cell.collectors.values())
            place = f"{cell.name or cell.account}, {cell.region}"
            failures += [f"{place}: {status.failures[0].sentence}" for status in statuses if status.failures]
        failures += self.disabled_regions
        others = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"{failures[0]}{others}" if failures else "everything that is configured is excluded"

    @property
    def disabled_regions(self) -> Sequence[str]:
        """One sentence for each account that has configured regions which are not enabled."""
        return [
            f"account {account.name}: {', '.join(account.disabled_regions)} "
            f"{agreeing(len(account.disabled_regions), 'is', 'are')} not enabled"
            for account in self.accounts
            if account.disabled_regions
        ]

    @property
    def accounts_up(self) -> Mapping[str, bool]:
        """The accounts by id, or by name while the id is unknown; true for an account that can be read.

        Accounts that were not opened yet, or that have no cells, are left out.
        """
        is_up, cells_of = dict[str, bool](), defaultdict[str, list[CellStatus]](list)
        for cell in self.cells:
            cells_of[cell.account].append(cell)
        for account in self.accounts:
            cells = cells_of[account.account]
            if account.access.ended_at and (cells or account.access.failures):
                up = not account.access.failures and any(not cell.is_down for cell in cells)
                label = account.account or account.name
                is_up[label] = up or is_up.get(label, False)
        return is_up

    @property
    def is_complete(self) -> bool:
        """True if every service of every cell had a successful inventory.

        The runs under TAGS and ACTIVITY do not count, as they add no series.
        """
        runs = (
            run
            for cell in self.cells
            for service, run in cell.collectors.items()
            if service not in (TAGS, ACTIVITY)
        )
        return not self.inaccessible_accounts and not self.pending and all(run.succeeded_at for run in runs)

    def shows_deletion_of(self, resource: Resource, labels: Mapping[str, str]) -> bool:
        """Return true if the last lists show that a resource does not exist any more.

        Call it only for a resource without series, as `RunStatus.shows_deletion_of`.
        labels: the labels of a former series of the resource. All lists of its service in its cell must have
        succeeded; other calls may have failed.
        """
        runs = (cell.collectors.get(labels["service"]) for cell in self._cells_of(labels))
        return any(run is not None and run.shows_deletion_of(resource) for run in runs)

    def is_unmonitored(self, labels: Mapping[str, str], services: Container[str]) -> bool:
        """Return true if the account, the cell or the service of a series is no longer monitored.

        services: the configured services. False while not all accounts and services are known.
        """
        if labels["account"] in self.departed_accounts:
            return True
        is_monitored = any(self._cells_of(labels)) and labels["service"] in services
        return not self.pending and not is_monitored and not self.may_be_unknown(labels["account"])

    def may_be_unknown(self, account: str) -> bool:
        """Return true if the account with this id may be inaccessible, or may not be listed yet."""
        ids_by_name = {entry.name: entry.account for entry in self.accounts}
        inaccessible = {ids_by_name.get(name, "") for name in self.inaccessible_accounts}
        is_listed = all(organization.is_known for organization in self.organizations)
        return not is_listed or account in inaccessible or "" in inaccessible

    def _cells_of(self, labels: Mapping[str, str]) -> Iterator[CellStatus]:
        key = labels["account"], labels["region"]
        return (cell for cell in self.cells if (cell.account, cell.region) == key)


def describe_unlisted(title: str, failure: Failure) -> str:
    """Return a line for people: why an organization's accounts cannot be listed, and what to do."""
    return f"{title}: {failure.sentence}. {' '.join(next_step(failure).sentences)}".strip()


def describe_failure(location: Location, failure: Failure) -> str:
    """Return a line for people: where and why a call failed; for a whole account, also what to do."""
    if location.region:
        return f"{location.account}/{location.region} {location.service or 'metrics'}: {failure.sentence}"
    next_sentences = " ".join(next_step(failure).sentences)
    return f"account {location.account_name}: {failure.sentence}. {next_sentences}".strip()
