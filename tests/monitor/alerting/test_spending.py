"""The spending of a budget survives a restart, as the journal stores it."""

from pathlib import Path

import pytest

from monitor.alerting.journal import Journal
from monitor.alerting.spending import JournalSpending
from monitor.planning.budget import BilledAmounts, Budget
from monitor.planning.settings import BudgetTerms


async def test_each_process_is_granted_only_the_remaining_budget(tmp_path: Path) -> None:
    # Of 10 dollars a month, a hundredth may be spent at once: 10,000 metrics at 0.00001 dollars.
    granted_counts = []
    for requested_count in (6_000, 6_000, 6_000):
        journal = await Journal.open(tmp_path / "headroom.db")
        budget = Budget(
            JournalSpending(journal),
            clock=lambda: 0.0,
            wall_clock=lambda: 1e9,
            billed=dict[str, BilledAmounts],
        )
        budget.configure(BudgetTerms(10.0))
        async with budget.grant("1", requested_count) as granted_count:
            granted_counts.append(granted_count)
            await journal.close()  # the process ends while it requests the metrics
    assert granted_counts == [6_000, pytest.approx(4_000, abs=1), 0]
