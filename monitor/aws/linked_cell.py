"""The cell of an account whose metrics a monitoring account reads, with that account's credentials."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from collectors.base import ServiceScope
from monitor.aws.billing import Bill, unbilled
from monitor.aws.cell import Cell
from monitor.lib.errors import HeadroomError

Response = TypeVar("Response")

# The operations that take the id of another account. All others would return what the monitoring account has.
OPERATIONS = frozenset({"GetMetricData", "ListMetrics"})


class RoleNeededError(HeadroomError):
    """An operation that needs a role in the account was called without one."""


@dataclass(eq=False)
class LinkedCell(Cell):
    """A cell whose calls name its account, and are signed by another one: `signer`."""

    async def call_with_retries(
        self, service: str, operation: str, send: Callable[[], Awaitable[Response]], bill: Bill = unbilled
    ) -> Response:
        """Send a request as `Cell` does. Raises RoleNeededError for one that cannot name the account."""
        if service != "cloudwatch" or operation not in OPERATIONS:
            raise RoleNeededError(f"a role is needed to call {service}:{operation} in {self.account}")
        return await super().call_with_retries(service, operation, send, bill)


def linked_cell(monitoring: Cell, account: str, scope: ServiceScope = ServiceScope.REGION) -> LinkedCell:
    """Return a cell of an account that is linked to a monitoring account, in the region of that one's cell.

    Its calls share the rates of the monitoring account.
    """
    return LinkedCell(
        monitoring.credentials,
        account,
        monitoring.region,
        monitoring.telemetry,
        monitoring.rates,
        monitoring.endpoint_url,
        monitoring.clients,
        monitoring.account_limiters,
        monitoring.limiters,
        scope,
        monitoring.max_attempts,
        signer=monitoring.account,
        limiters_of=monitoring.limiters_of,
    )
