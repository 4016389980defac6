"""Watches which accounts an organization has: new accounts are added, closed accounts are removed."""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from monitor.aws.account import MemberAccount, account_name
from monitor.aws.failure import TOO_MANY_ACCOUNTS, Failure, failure_from
from monitor.aws.known_accounts import KnownAccounts
from monitor.aws.organization import Organization
from monitor.aws.organization_listing import ListedAccount, OrganizationListing
from monitor.aws.run_status import RunStatus
from monitor.aws.status import OrganizationStatus
from monitor.lib.schedule import run_guarded
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.timings import PollingTimings

log = logging.getLogger(__name__)

MAX_LOGGED_ACCOUNTS = 20  # accounts named in one log message
# Names that are an account id, or end with one in parentheses.
LIKE_AN_ID = re.compile(r"(^|\()[0-9]{12}\)?$")
# Reasons why an account is no longer watched, as texts that follow its name.
REMOVED = "is not in the organization any more"
EXCLUDED = "is excluded"
OTHER_CREDENTIALS = "is read with other credentials now"


class WatchedAccounts(Protocol):
    """The watched accounts, to which an organization watcher adds the accounts of its organization."""

    def is_already_watched(self, account: MemberAccount) -> bool:
        """Return whether a configuration entry or an organization watches the account already."""

    def configured_names(self) -> Sequence[str]:
        """Return the names of the accounts in the configuration."""

    def add(self, account: MemberAccount) -> None:
        """Watch an account."""

    async def remove(self, account_id: str, reason: str) -> None:
        """Stop watching an account, and drop its series. reason: text that follows the account's name."""

    def rename(self, accounts: Sequence[MemberAccount]) -> None:
        """Change the names of accounts. accounts: under their new names."""


class OrganizationWatcher:
    """Lists the accounts of an organization at intervals; adds, renames and removes accounts accordingly.

    list_accounts: requests one list. attempted: set once the accounts are known, or the first list has
    failed. members: the watched accounts, by id. is_known: true once the accounts were listed, by this or by
    an earlier process.
    """

    def __init__(
        self,
        organization: Organization,
        list_accounts: Callable[[Organization], Awaitable[OrganizationListing]],
        accounts: WatchedAccounts,
        known: KnownAccounts,
        timings: PollingTimings,
    ) -> None:
        self._organization, self._list, self._accounts = organization, list_accounts, accounts
        self._known_accounts, self._timings = known, timings
        self.attempted = asyncio.Event()
        self.members: dict[str, MemberAccount] = {}
        self._missing_ids: set[str] = set()  # members that the last list did not contain
        self._logged_sentences: set[str] = set()  # the sentences about patterns that were logged
        self._list_status, self._list_requested = RunStatus(), asyncio.Event()
        self.is_known = False

    @property
    def title(self) -> str:
        """The organization's name, as it is used in messages."""
        return self._organization.title

    def status(self) -> OrganizationStatus:
        """Return a copy of the present status."""
        return OrganizationStatus(
            title=self.title,
            listing=replace(self._list_status),
            accounts=len(self.members),
            is_known=self.is_known,
        )

    async def run(self, telemetry: ProcessTelemetry) -> None:
        """List the accounts until cancelled; begin with the accounts that an earlier process has listed."""
        if listing := self._known_accounts.listing_of(self._organization):
            await self._apply(listing)
            self.attempted.set()
        while True:
            self._list_requested.clear()
            await run_guarded("organization", self.title, self.read, telemetry)
            self.attempted.set()
            await self._wait()

    def request_list(self) -> None:
        """List the accounts soon: an account denies calls that it allowed, so it may have been closed."""
        self._list_requested.set()

    async def _wait(self) -> None:
        """Wait until the next list is due or requested."""
        interval = self._interval()
        pause = min(interval, self._timings.min_listing_interval)
        await asyncio.sleep(pause)
        with suppress(TimeoutError):
            async with asyncio.timeout(interval - pause):
                await self._list_requested.wait()

    def _interval(self) -> float:
        """Return the seconds until the next list: few after a failure, and while an account is missing."""
        if any(failure.code != TOO_MANY_ACCOUNTS for failure in self._list_status.failures):
            return self._timings.open_retry_interval
        return self._timings.confirmation_delay if self._missing_ids else self._timings.organization_interval

    async def read(self) -> None:
        """List the accounts once, and watch them. If that fails, the known accounts stay watched."""
        self._list_status.start(time.time())
        failures: tuple[Failure, ...] = ()
        try:
            listing = await self._list(self._organization)
        except Exception as error:
            failures = (failure_from(error, getattr(error, "operation_name", "") or "ListAccounts"),)
        else:
            failures = await self._apply(listing)
            self._log_unmatched(listing)
            await self._known_accounts.store(self._organization, listing)
        if failures and failures != self._list_status.failures:
            log.warning("%s: %s", self.title, failures[0].sentence)
        self._list_status.end(failures, time.time())

    async def _apply(self, listing: OrganizationListing) -> tuple[Failure, ...]:
        """Add, rename and remove accounts; return a failure if not all selected accounts are watched."""
        wanted, failures = self._accounts_to_watch(listing)
        listed = {account.id: account for account in listing.accounts}
        missing = self.members.keys() - listed.keys()
        # AWS may omit an account from a list, so an account is removed once two lists do not contain it.
        retained = wanted.keys() | (missing - self._missing_ids)
        for account_id in [*self.members]:
            reason = _removal_reason(listed.get(account_id))
            if account_id in wanted and wanted[account_id].role_arn != self.members[account_id].role_arn:
                await self._remove(account_id, OTHER_CREDENTIALS)
            elif account_id not in retained:
                await self._remove(account_id, reason)
        self._missing_ids = missing & self.members.keys()
        self._rename(wanted)
        added = [account for account in wanted.values() if account.id not in self.members]
        for account in added:
            self.members[account.id] = account
            self._accounts.add(account)
        self.is_known = True
        self._log_added(added)
        return failures

    def _accounts_to_watch(
        self, listing: OrganizationListing
    ) -> tuple[Mapping[str, MemberAccount], tuple[Failure, ...]]:
        """Return the accounts to watch, by id, and a failure if there are too many accounts.

        Accounts that are watched already come first.
        """
        included = [
            listed
            for listed in listing.active
            if self._organization.includes(listed.id, listed.name, listed.tags or {})
        ]
        included.sort(key=lambda listed: listed.id not in self.members)
        ids = {listed.id for listed in included}
        other_names = [account_name(member) for member in self.members.values() if member.id not in ids]
        names = _unique_names(included, [*self._accounts.configured_names(), *other_names])
        candidates = (
            self._organization.member(
                listed.id, names[listed.id], listing.partition, is_own=listed.id == listing.own_account
            )
            for listed in included
        )
        wanted = [
            account
            for account in candidates
            if account.id in self.members or not self._accounts.is_already_watched(account)
        ]
        maximum = self._organization.max_accounts
        chosen = {account.id: account for account in wanted[:maximum]}
        return chosen, _failure_beyond_maximum(len(wanted), maximum)

    def _rename(self, wanted: Mapping[str, MemberAccount]) -> None:
        """Give watched accounts their present names."""
        renamed = [
            account
            for account in wanted.values()
            if account.id in self.members and account.name != self.members[account.id].name
        ]
        self.members |= {account.id: account for account in renamed}
        self._accounts.rename(renamed)

    def _log_added(self, added: Sequence[MemberAccount]) -> None:
        names = [f"{account.name} ({account.id})" for account in added[:MAX_LOGGED_ACCOUNTS]]
        more = f" and {len(added) - MAX_LOGGED_ACCOUNTS} more" if len(added) > MAX_LOGGED_ACCOUNTS else ""
        if added:
            log.info("%s: now watched: %s%s", self.title, ", ".join(names), more)

    async def _remove(self, account_id: str, reason: str) -> None:
        account = self.members.pop(account_id)
        await self._accounts.remove(account_id, reason)
        log.info("%s: the account %s (%s) %s", self.title, account.name, account_id, reason)

    def _log_unmatched(self, listing: OrganizationListing) -> None:
        """Log each pattern that matches no account, once."""
        accounts = [(account.id, account.name) for account in listing.accounts]
        sentences = {*self._organization.unmatched_patterns(accounts, listing.tags)}
        for sentence in sorted(sentences - self._logged_sentences):
            log.info("%s", sentence)
        self._logged_sentences = sentences


def _removal_reason(listed: ListedAccount | None) -> str:
    """Return why an account is no longer watched, as text that follows its name."""
    return (listed.inactive_reason or EXCLUDED) if listed else REMOVED


def _unique_names(accounts: Sequence[ListedAccount], taken_names: Sequence[str]) -> Mapping[str, str]:
    """Return the names to show, by id: the id follows a name that is not unique or looks like an id.

    taken_names: names of other accounts.
    """
    counts = Counter([*taken_names, *(account.name for account in accounts)])
    names, assigned = dict[str, str](), set(taken_names)
    for account in accounts:
        is_unique = counts[account.name] == 1 and not LIKE_AN_ID.search(account.name)
        name = account.name if is_unique else f"{account.name} ({account.id})"
        names[account.id] = name if account.name else account.id
        while names[account.id] in assigned:
            names[account.id] += f" ({account.id})"
    return names


def _failure_beyond_maximum(account_count: int, maximum: int) -> tuple[Failure, ...]:
    if account_count <= maximum:
        return ()
    sentence = f"{account_count:,} accounts are to be watched, and max_accounts is {maximum:,}"
    return (Failure("ListAccounts", "", TOO_MANY_ACCOUNTS, sentence),)
