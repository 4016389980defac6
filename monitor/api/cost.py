"""The cost of monitoring: the present cost, the cost so far, and what a metric stream would save."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel
from monitor.cost.bills import Bill, MetricUse, bills
from monitor.cost.streaming import Activity, StreamAdvice, stream_advice
from monitor.planning.budget import AllowanceStatus
from monitor.planning.telemetry import planned_delays

MAX_BILLS_LISTED = 1_000  # bills by service, and as many by account and region
MAX_ADVICE_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Costs:
    """The bills by service and by cell, advice on metric streams, and the budgets.

    delays: by account and by quantile of its series, the planned seconds between the time when CloudWatch has
    a sample and the time when Headroom reads it.
    """

    services: Sequence[Bill]
    cells: Sequence[Bill]
    streams: Sequence[StreamAdvice]
    budgets: Sequence[AllowanceStatus]
    delays: Mapping[str, Mapping[float, float]]


async def read_costs(state: AppState) -> Costs:
    """Return the costs of monitoring as known now."""
    interval, fleet = state.poll_interval(), state.fleet
    use = MetricUse.of(fleet, int(time.time() // 60), state.cost.prices)
    activity = await Activity.of(fleet, use.cells)
    services, cells = await asyncio.to_thread(bills, use, state.cost.measured(), interval)
    streams = await asyncio.to_thread(stream_advice, use, activity, interval)
    budgets = state.budget.statuses() if state.budget else []
    return Costs(services, cells, streams, budgets, planned_delays(fleet, interval))


class BillModel(ApiModel):
    """The cost of one service, or of one account and region.

    The bill for streamed updates that no series uses has an empty service, or an empty account and region.
    """

    service: str | None = Field(
        default=None, description="The service; null in a bill of an account and region."
    )
    account: str | None = Field(
        default=None, description="The 12-digit id of the account; null in a bill of a service."
    )
    region: str | None = Field(default=None, description="The region; null in a bill of a service.")
    currency: str | None = Field(
        description="The currency of the amounts, as in ISO 4217; null when the prices are not known."
    )
    polled_metrics: int = Field(description="The number of metrics that are requested from CloudWatch now.")
    streamed_metrics: int = Field(description="The number of metrics that a metric stream delivers now.")
    monthly_amount: float | None = Field(
        description="The projected cost of a month in `currency`, by how often each metric is requested "
        "now; null when a price is not known."
    )
    monthly_dollars: float | None = Field(
        description="The projected cost of a month in US dollars; null unless the account is billed in US "
        "dollars."
    )
    metrics_requested: float = Field(
        description="The number of metrics requested from CloudWatch since the start; a metric counts each "
        "time that it is requested."
    )
    listings: float = Field(description="The number of calls of ListMetrics since the start.")
    updates_streamed: float = Field(
        description="The number of points that metric streams delivered since the start."
    )
    amount: float | None = Field(
        description="The cost since the start in `currency`; null when a price is not known."
    )
    dollars: float | None = Field(
        description="The cost since the start in US dollars; null unless the account is billed in US dollars."
    )


class StreamAdviceModel(ApiModel):
    """Metrics that a metric stream of the account and region would deliver for less than polling costs."""

    account: str
    region: str
    namespace: str = Field(description="The namespace in CloudWatch, such as AWS/SQS.")
    metric_names: Sequence[str] = Field(description="The names of the metrics to stream.")
    metrics: int = Field(description="The number of metrics with these names that are polled now.")
    polled_monthly_dollars: float = Field(
        description="The cost of polling these metrics, in US dollars a month."
    )
    streamed_monthly_dollars: float = Field(
        description="The cost of streaming instead, in US dollars a month, with Firehose and the metrics "
        "that would still be polled."
    )
    saved_monthly_dollars: float = Field(description="The saving by streaming, in US dollars a month.")


class BudgetModel(ApiModel):
    """A budget in force."""

    account: str | None = Field(
        description="The 12-digit id of the account; null when all accounts share the budget."
    )
    dollars_per_month: float = Field(description="The budget in US dollars a month.")
    minimum_dollars_per_month: float = Field(
        description="The cost of requesting each metric once an hour, in US dollars a month; this is spent "
        "even if the budget is lower."
    )
    ahead_dollars: float = Field(
        description="The US dollars spent beyond what the budget has granted by now."
    )


class DelayModel(ApiModel):
    """The planned delays of an account: seconds until Headroom reads a sample that CloudWatch has."""

    account: str
    median: float = Field(description="The delay that half of the series do not exceed, in seconds.")
    p99: float = Field(description="The delay that 99 % of the series do not exceed, in seconds.")
    longest: float = Field(description="The delay of the series that is read least often, in seconds.")


class CostModel(ApiModel):
    """The cost of monitoring."""

    services: Sequence[BillModel] = Field(
        description="The cost by service, without accounts that are not billed in US dollars."
    )
    cells: Sequence[BillModel] = Field(description="The cost by account and region.")
    streams: Sequence[StreamAdviceModel] = Field(
        description="Advice on metric streams, the largest saving first."
    )
    budgets: Sequence[BudgetModel] = Field(description="The budgets in force; empty when none is configured.")
    planned_delays: Sequence[DelayModel] = Field(description="The planned delays of each account.")


def cost_router(state: AppState) -> APIRouter:
    """Return the route of the costs."""
    router = APIRouter(prefix="/api/v1", tags=["Coverage"])

    @router.get("/cost", summary="Get the cost")
    async def get_cost() -> CostModel:
        """The monthly cost of monitoring, the cost so far, and the metrics to stream instead of polling."""
        return _cost_model(await read_costs(state))

    return router


def _cost_model(costs: Costs) -> CostModel:
    return CostModel(
        services=[_bill_model(bill, service=bill.labels[0]) for bill in costs.services[:MAX_BILLS_LISTED]],
        cells=[
            _bill_model(bill, account=bill.labels[0], region=bill.labels[1])
            for bill in costs.cells[:MAX_BILLS_LISTED]
        ],
        streams=[_advice_model(advice) for advice in costs.streams[:MAX_ADVICE_LISTED]],
        budgets=[
            BudgetModel(
                account=budget.account or None,
                dollars_per_month=budget.dollars_per_month,
                minimum_dollars_per_month=budget.minimum_dollars,
                ahead_dollars=budget.ahead_dollars,
            )
            for budget in costs.budgets
        ],
        planned_delays=[
            DelayModel(account=account, median=quantiles[0.5], p99=quantiles[0.99], longest=quantiles[1.0])
            for account, quantiles in costs.delays.items()
            if quantiles
        ],
    )


def _bill_model(bill: Bill, **names: str) -> BillModel:
    return BillModel(
        **names,
        currency=bill.currency or None,
        polled_metrics=bill.projected.polled_metrics,
        streamed_metrics=bill.projected.streamed_metrics,
        monthly_amount=bill.monthly_amount,
        monthly_dollars=bill.projected.monthly_dollars if bill.is_in_dollars else None,
        metrics_requested=bill.measured.requested,
        listings=bill.measured.listings,
        updates_streamed=bill.measured.updates,
        amount=bill.measured_amount,
        dollars=bill.measured.dollars if bill.is_in_dollars else None,
    )


def _advice_model(advice: StreamAdvice) -> StreamAdviceModel:
    return StreamAdviceModel(
        account=advice.account,
        region=advice.region,
        namespace=advice.namespace,
        metric_names=advice.names,
        metrics=advice.metric_count,
        polled_monthly_dollars=advice.polled_dollars,
        streamed_monthly_dollars=advice.streamed_dollars,
        saved_monthly_dollars=advice.saved_dollars,
    )
