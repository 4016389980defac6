"""The budget that is charged with the metrics and lists that the calls to AWS count."""

import time
from collections.abc import Mapping

from monitor.aws.telemetry import AwsTelemetry
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.spending import SpendingStore


def budget_of(telemetry: AwsTelemetry, store: SpendingStore) -> Budget:
    """Return a budget that charges counted metrics and lists, and saves its spending in a store."""

    def billed() -> Mapping[str, BilledAmounts]:
        metrics, listings = telemetry.metrics_by_account, telemetry.listings_by_account
        accounts = {*metrics, *listings}
        return {account: BilledAmounts(metrics[account], listings[account]) for account in accounts}

    return Budget(store, time.monotonic, time.time, billed, telemetry.partitions)
