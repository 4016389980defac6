"""Watches which accounts an organization has: those that appear are watched, those that close are not."""

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
from monitor.aws.failure import Failure, failure_from
from monitor.aws.known_accounts import KnownAccounts
from monitor.aws.organization import Organization
from monitor.aws.organization_listing import ListedAccount, OrganizationListing
from monitor.aws.run_status import RunStatus
from monitor.aws.status import OrganizationStatus
from monitor.lib.schedule import run_guarded
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.timings import PollingTimings

log = logging.getLogger(__name__)

REMOVED = "is not in the organization any more"
MAX_LOGGED = 20  # accounts that one message names
EXCLUDED = "is excluded"
LIKE_AN_ID = re.compile(r"(^|\()[0-9]{12}\)?$")
TOO_MANY_ACCOUNTS = "TooManyAccounts"  # the code of a failure
OTHER_CREDENTIALS = "is read with other credentials now"


class WatchedAccounts(Protocol):
    """The accounts of a watcher, to which those of organizations are added."""

    def is_taken(self, account: MemberAccount) -> bool:
        """Return whether an entry of its own, or another organization, has the account already."""

    def names_taken(self) -> Sequence[str]:
        """Return the names of accounts that have an entry of their own."""

    def add(self, account: MemberAccount) -> None:
        """Watch an account."""

    async def remove(self, account_id: str, reason: str) -> None:
        """Watch an account no longer, and drop its series. reason: what follows the account's name."""

    def rename(self, accounts: Sequence[MemberAccount]) -> None:
        """Show other names of accounts."""


class OrganizationWatcher:
    """Lists the accounts of an organization again and again, and adds and removes those that changed.

    list_accounts: lists them. attempted: set once the accounts are known, or the first list has failed.
    members: the watched accounts by id. is_known: they were listed, now or by an earlier process.
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
        self._known, self._timings = known, timings
        self.attempted = asyncio.Event()
        self.members: dict[str, MemberAccount] = {}
        self._missing: set[str] = set()  # members that the last list lacked
        self._noted: set[str] = set()  # sentences that were logged
        self._listing, self._requested = RunStatus(), asyncio.Event()
        self.is_known = False

    @property
    def title(self) -> str:
        """The name of the organization in messages."""
        return self._organization.title

    def status(self) -> OrganizationStatus:
        """A copy of the present status."""
        return OrganizationStatus(
            title=self.title,
            listing=replace(self._listing),
            accounts=len(self.members),
            is_known=self.is_known,
        )

    async def run(self, telemetry: ProcessTelemetry) -> None:
        """List the accounts until cancelled; begin with those that were listed last."""
        if listing := self._known.of(self._organization):
            await self._apply(listing)
            self.attempted.set()
        while True:
            self._requested.clear()
            await run_guarded("organization", self.title, self.read, telemetry)
            self.attempted.set()
            await self._wait()

    def request(self) -> None:
        """List the accounts soon, as one of them denies what it allowed: it may have been closed."""
        self._requested.set()

    async def _wait(self) -> None:
        """Wait for the next list."""
        interval = self._interval()
        pause = min(interval, self._timings.min_listing_interval)
        await asyncio.sleep(pause)
        with suppress(TimeoutError):
            async with asyncio.timeout(interval - pause):
                await self._requested.wait()

    def _interval(self) -> float:
        """Return the seconds until the next list: soon after a failure, and where an account is missing."""
        if any(failed.code != TOO_MANY_ACCOUNTS for failed in self._listing.failures):
            return self._timings.open_retry_interval
        return self._timings.confirmation_delay if self._missing else self._timings.organization_interval

    async def read(self) -> None:
        """List the accounts once, and watch them. A failure keeps the accounts that are known."""
        self._listing.started_at = time.time()
        failures: tuple[Failure, ...] = ()
        try:
            listing = await self._list(self._organization)
        except Exception as error:
            failures = (failure_from(error, getattr(error, "operation_name", "") or "ListAccounts"),)
        else:
            failures = await self._apply(listing)
            self._note_ineffective(listing)
            await self._known.keep(self._organization, listing)
        if failures and failures != self._listing.failures:
            log.warning("%s: %s", self.title, failures[0].sentence)
        self._listing.end(failures, time.time())

    async def _apply(self, listing: OrganizationListing) -> tuple[Failure, ...]:
        """Add, rename and remove accounts, and return why not all of them are watched."""
        wanted, failures = self._wanted(listing)
        listed = {one.id: one for one in listing.accounts}
        missing = self.members.keys() - listed.keys()
        # AWS may leave out an account of one list, so that it must be missing twice.
        kept = wanted.keys() | (missing - self._missing)
        for account_id in [*self.members]:
            reason = _reason(listed.get(account_id))
            if account_id in wanted and wanted[account_id].role_arn != self.members[account_id].role_arn:
                await self._remove(account_id, OTHER_CREDENTIALS)
            elif account_id not in kept:
                await self._remove(account_id, reason)
        self._missing = missing & self.members.keys()
        self._rename(wanted)
        added = [account for account in wanted.values() if account.id not in self.members]
        for account in added:
            self.members[account.id] = account
            self._accounts.add(account)
        self.is_known = True
        self._log_added(added)
        return failures

    def _wanted(
        self, listing: OrganizationListing
    ) -> tuple[Mapping[str, MemberAccount], tuple[Failure, ...]]:
        """Return the accounts to watch by id: those watched already first, up to the bound."""
        included = [
            one for one in listing.active if self._organization.includes(one.id, one.name, one.tags or {})
        ]
        included.sort(key=lambda one: one.id not in self.members)
        ids = {one.id for one in included}
        others = [account_name(one) for one in self.members.values() if one.id not in ids]
        names = _unique_names(included, [*self._accounts.names_taken(), *others])
        accounts = (
            self._organization.member(
                one.id, names[one.id], listing.partition, is_own=one.id == listing.own_account
            )
            for one in included
        )
        wanted = [one for one in accounts if one.id in self.members or not self._accounts.is_taken(one)]
        bound = self._organization.max_accounts
        return {one.id: one for one in wanted[:bound]}, _beyond_bound(len(wanted), bound)

    def _rename(self, wanted: Mapping[str, MemberAccount]) -> None:
        """Give watched accounts the names that they have now."""
        watched = wanted.keys() & self.members.keys()
        renamed = [wanted[one] for one in watched if wanted[one].name != self.members[one].name]
        self.members |= {account.id: account for account in renamed}
        self._accounts.rename(renamed)

    def _log_added(self, added: Sequence[MemberAccount]) -> None:
        names = [f"{account.name} ({account.id})" for account in added[:MAX_LOGGED]]
        more = f" and {len(added) - MAX_LOGGED} more" if len(added) > MAX_LOGGED else ""
        if added:
            log.info("%s: now watched: %s%s", self.title, ", ".join(names), more)

    async def _remove(self, account_id: str, reason: str) -> None:
        account = self.members.pop(account_id)
        await self._accounts.remove(account_id, reason)
        log.info("%s: the account %s (%s) %s", self.title, account.name, account_id, reason)

    def _note_ineffective(self, listing: OrganizationListing) -> None:
        """Log the patterns that match no account, each once."""
        accounts = [(one.id, one.name) for one in listing.accounts]
        sentences = {*self._organization.ineffective(accounts, listing.tags)}
        for sentence in sorted(sentences - self._noted):
            log.info("%s", sentence)
        self._noted = sentences


def _reason(listed: ListedAccount | None) -> str:
    """Return why an account is watched no longer, as what follows its name."""
    return (listed.inactive_reason or EXCLUDED) if listed else REMOVED


def _unique_names(accounts: Sequence[ListedAccount], taken: Sequence[str]) -> Mapping[str, str]:
    """Return the shown names by id: the id follows a name that is not unique, or that looks like an id."""
    counts = Counter([*taken, *(one.name for one in accounts)])
    names, others = dict[str, str](), set(taken)
    for one in accounts:
        is_unique = counts[one.name] == 1 and not LIKE_AN_ID.search(one.name)
        names[one.id] = (one.name if is_unique else f"{one.name} ({one.id})") if one.name else one.id
        while names[one.id] in others:
            names[one.id] += f" ({one.id})"
    return names


def _beyond_bound(accounts: int, bound: int) -> tuple[Failure, ...]:
    if accounts <= bound:
        return ()
    sentence = f"{accounts:,} accounts are to be watched, and max_accounts is {bound:,}"
    return (Failure("ListAccounts", "", TOO_MANY_ACCOUNTS, sentence),)
