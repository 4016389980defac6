"""The cell of a linked account, whose metrics are read with the monitoring account's credentials."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from collectors.base import ServiceScope
from monitor.aws.billing import CountBilledCall, bill_nothing
from monitor.aws.cell import Cell
from monitor.lib.errors import HeadroomError

Response = TypeVar("Response")

# The operations that take the id of another account. All others return the data of the monitoring account.
LINKED_OPERATIONS = frozenset({"GetMetricData", "ListMetrics"})


class RoleNeededError(HeadroomError):
    """An operation that needs a role in the account was called without a role."""


@dataclass(eq=False)
class LinkedCell(Cell):
    """A cell whose calls name its account, and are signed by the monitoring account, `signer`."""

    async def call_with_retries(
        self,
        service: str,
        operation: str,
        send: Callable[[], Awaitable[Response]],
        count_billed_call: CountBilledCall = bill_nothing,
    ) -> Response:
        """Send a request as `Cell` does. Raises RoleNeededError if the operation cannot name the account."""
        if service != "cloudwatch" or operation not in LINKED_OPERATIONS:
            raise RoleNeededError(f"a role is needed to call {service}:{operation} in {self.account}")
        return await super().call_with_retries(service, operation, send, count_billed_call)


def linked_cell(monitoring: Cell, account: str, scope: ServiceScope = ServiceScope.REGION) -> LinkedCell:
    """Return the cell of a linked account, in the region of the monitoring account's cell.

    monitoring: the monitoring account's cell, whose rate limiters the linked cell shares.
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
