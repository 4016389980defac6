"""Accounts that leave their organization, and organizations whose accounts cannot be listed.

The letters of samples and notices are explained in `harness.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, MonitorStatus, OrganizationStatus
from monitor.notifiers.notice import Notice, NoticeKind
from tests.monitor.alerting.cells import SimulatedCells
from tests.monitor.alerting.harness import AlertingHarness
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import ACCOUNT, REGION, key

CLOSED_ACCOUNT = {ACCOUNT: "was suspended or closed"}
DENIED = Failure("ListAccounts", "", "AccessDeniedException", "You don't have permissions")
NOT_IN_USE = Failure("ListAccounts", "", "AWSOrganizationsNotInUseException", "no organization")
ROLE_DENIED = Failure("AssumeRole", "", "AccessDenied", "not allowed")
TOO_MANY = Failure("ListAccounts", "", "TooManyAccounts", "3 accounts are to be watched, and max is 2")


async def test_the_alerts_of_a_closed_account_are_resolved_with_the_reason(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.fleet.drop(key("orders"))
        harness.status = MonitorStatus(departed_accounts=CLOSED_ACCOUNT)
        (resolved,) = await harness.process()
        assert (resolved.kind, resolved.resolution_reason) == (
            NoticeKind.RESOLVED,
            "its account was suspended or closed",
        )
        assert resolved.summary.endswith("after 3 min: its account was suspended or closed.")


async def test_the_alerts_of_an_account_that_is_closed_during_a_restart_are_resolved(
    storage: Path | MemoryStore,
) -> None:
    """Another account that is not opened yet does not keep the alert firing."""
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 1) as harness:
        harness.status = MonitorStatus(pending=["account other"], departed_accounts=CLOSED_ACCOUNT)
        (resolved,) = await harness.process()
        assert resolved.resolution_reason == "its account was suspended or closed"


@pytest.mark.parametrize("is_known", [True, False])
async def test_alerts_of_a_missing_account_are_resolved_only_if_the_list_of_accounts_is_known(
    storage: Path | MemoryStore, is_known: bool
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 1) as harness:
        organization = OrganizationStatus(title="organization", listing=RunStatus(), is_known=is_known)
        other = AccountStatus(name="other", account="9" * 12, access=RunStatus())
        harness.status = MonitorStatus(
            organizations=[organization], accounts=[other], inaccessible_accounts={"other": ROLE_DENIED}
        )
        expected = [NoticeKind.RESOLVED] if is_known else []
        assert [notice.kind for notice in await harness.process()] == expected


async def test_the_blind_alert_of_an_account_is_resolved_when_the_account_is_closed(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        cells = SimulatedCells([ACCOUNT], [REGION], ["sqs"], lambda *_: [ROLE_DENIED])
        for _ in range(8):
            harness.seconds += 60
            harness.status = cells.step(harness.seconds)
            await harness.process()
        assert len(harness.notices) == 1
        harness.status = MonitorStatus(pending=["account other"], departed_accounts=CLOSED_ACCOUNT)
        (resolved,) = await harness.process(60)
        assert resolved.summary.startswith(
            "name-123 is not monitored any more: it was suspended or closed, after"
        )


# Organizations that cannot be listed


async def list_each_minute(
    harness: AlertingHarness,
    failures: Sequence[Failure],
    minutes: int,
    listing: RunStatus,
    title: str = "organization",
) -> list[Notice]:
    """List an organization each minute with these failures, and return the notices that are sent."""
    notices_before = len(harness.notices)
    for _ in range(minutes):
        harness.seconds += 60
        listing.end(failures, harness.seconds)
        organization = OrganizationStatus(title=title, listing=replace(listing), accounts=3, is_known=True)
        harness.status = MonitorStatus(organizations=[organization])
        await harness.process()
    return harness.notices[notices_before:]


async def test_an_organization_that_cannot_be_listed_is_one_alert_with_the_action_to_allow(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        listing = RunStatus()
        assert await list_each_minute(harness, (), 5, listing) == []
        assert await list_each_minute(harness, [DENIED], 1, listing) == []
        (blind_notice,) = await list_each_minute(harness, [DENIED], 60, listing)
        assert blind_notice.summary == (
            "AccessDeniedException of organizations:ListAccounts: Headroom cannot list the accounts of the "
            "organization: You don't have permissions. Accounts that are known stay monitored; new ones are "
            "not."
        )
        assert blind_notice.labels["account"] == "organization"
        (remedy,) = blind_notice.remedy
        assert "`organizations:ListAccounts`" in remedy
        assert "`management_role`" in remedy
        (resolved,) = await list_each_minute(harness, (), 3, listing)
        assert resolved.summary.startswith("organization recovered: nothing is denied any more, after ")


@pytest.mark.parametrize(
    ("failure", "action", "remedy"),
    [
        (NOT_IN_USE, "organizations:ListAccounts", "list the accounts under `accounts`"),
        (ROLE_DENIED, "sts:AssumeRole", "trust policy"),
        (TOO_MANY, "organizations:ListAccounts", "`max_accounts`"),
    ],
)
async def test_each_failure_to_list_an_organization_has_its_own_remedy(
    failure: Failure, action: str, remedy: str, tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        (blind_notice,) = await list_each_minute(harness, [failure], 10, RunStatus(), "organization acme")
        assert blind_notice.summary.startswith(
            f"{failure.code} of {action}: Headroom cannot list the accounts of"
        )
        assert "the organization acme" in blind_notice.summary
        assert any(remedy in sentence for sentence in blind_notice.remedy)
