"""The account and region whose metrics a reader requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.aws.cell import Cell
from monitor.polling.metric_owners import MetricOwners


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A cell, and the services that its requested metrics are charged to."""

    cell: Cell
    owners: MetricOwners

    @property
    def account(self) -> str:
        """The id of the account that has the metrics."""
        return self.cell.account

    def count(self, payer: Cell, metrics: Sequence[bytes]) -> None:
        """Count metrics that were requested, which AWS bills to the account that calls."""
        for service, number in self.owners.count(metrics).items():
            region = self.cell.key[1]
            self.cell.telemetry.count_requested_metrics(payer.signing_account, region, service, number)

    def observe_time(self, date: str | None) -> None:
        """Note the time of AWS's clock, a `Date` header."""
        self.cell.clock.observe(date)
