"""The last listing of each organization's accounts, stored in a file for the next start."""

import asyncio
import logging
from collections import defaultdict
from pathlib import Path
from typing import Self

import msgspec

from monitor.aws.account_tags import AccountTags
from monitor.aws.organization import Organization
from monitor.aws.organization_listing import OrganizationListing
from monitor.lib.atomic_file import replace_atomically
from monitor.lib.files import ensure_private_file, read_file

log = logging.getLogger(__name__)

MAX_FILE_SIZE = 32 * 1024**2  # bytes


class KnownAccounts:
    """The last listing of each organization, by the organization's title.

    path: the file of the listings; None: the listings stay in memory only.
    """

    def __init__(
        self, path: Path | None = None, listings: dict[str, OrganizationListing] | None = None
    ) -> None:
        self._path, self._listings = path, listings or {}
        self._tags = defaultdict[str, AccountTags](AccountTags)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the listings in an earlier process's file; none if it is missing or unusable. Blocks."""
        try:
            content = read_file(path, MAX_FILE_SIZE)
            return cls(path, msgspec.json.decode(content, type=dict[str, OrganizationListing]))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be used, and is written again: %s", path, error)
        return cls(path)

    def listing_of(self, organization: Organization) -> OrganizationListing | None:
        """Return the organization's last listing.

        None if there is none, or if it is of other organizational units than are configured now.
        """
        listing = self._listings.get(organization.title)
        return listing if listing and listing.units == organization.organizational_units else None

    def tags_of(self, organization: Organization) -> AccountTags:
        """Return the tags of an organization's accounts that this process has read."""
        return self._tags[organization.title]

    async def store(self, organization: Organization, listing: OrganizationListing) -> None:
        """Store a listing; if it has changed, write the file. A failure to write is logged."""
        if self._listings.get(organization.title) == listing:
            return
        self._listings[organization.title] = listing
        if self._path:
            await asyncio.to_thread(self._write, self._path, msgspec.json.encode(self._listings))

    def _write(self, path: Path, content: bytes) -> None:
        try:
            ensure_private_file(path)
            with replace_atomically(path) as out:
                out.write(content)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error)


def known_accounts_path(journal: Path) -> Path:
    """Return the path of the file of the listings, beside the journal."""
    return journal.with_name(journal.stem + "-accounts.json")
