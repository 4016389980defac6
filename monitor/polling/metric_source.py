"""The account and region whose metrics are requested."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.aws.cell import Cell
from monitor.polling.metric_services import MetricServices


@dataclass(frozen=True, slots=True)
class MetricSource:
    """A cell that has metrics, and the services that its requested metrics are charged to."""

    cell: Cell
    metric_services: MetricServices

    @property
    def account(self) -> str:
        """The id of the account that has the metrics."""
        return self.cell.account

    def count(self, payer: Cell, metrics: Sequence[bytes]) -> None:
        """Count requested metrics. payer: the cell that called, whose account AWS bills."""
        for service, number in self.metric_services.count(metrics).items():
            region = self.cell.key[1]
            self.cell.telemetry.count_requested_metrics(payer.signing_account, region, service, number)

    def observe_time(self, date: str | None) -> None:
        """Set the cell's clock by the `Date` header of a response."""
        self.cell.clock.observe(date)
