"""The tags of an organization's accounts, which take one call for each account."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from botocore.exceptions import ClientError

from collectors.tags import Tags
from monitor.aws.cell import Cell
from monitor.aws.failure import failure_from
from monitor.lib.concurrent_map import concurrent_map

log = logging.getLogger(__name__)

TAGS_INTERVAL = 6 * 3600.0  # seconds from one reading of an account's tags to the next
MAX_CONCURRENT_CALLS = 4
NOT_A_MEMBER = "TargetNotFoundException"  # AWS's error code for an account outside of the organization


@dataclass(slots=True)
class AccountTags:
    """The tags of accounts as last read."""

    _tags: dict[str, Tags] = field(default_factory=dict)
    _read_at: dict[str, float] = field(default_factory=dict)

    async def read(self, cell: Cell, account_ids: Collection[str]) -> Mapping[str, Tags]:
        """Return the tags of these accounts by id; first read the tags that are older than TAGS_INTERVAL.

        If an account's tags cannot be read now, its last known tags are returned, and the next call tries
        again. Raises one of AWS_ERRORS if they were never read, as it is then unknown whether the account is
        selected.
        """
        now = cell.clock.now()
        ids_to_read = [id_ for id_ in account_ids if now - self._read_at.get(id_, -inf) >= TAGS_INTERVAL]
        async for account_id, tags in concurrent_map(
            lambda account_id: self._read_one(cell, account_id), ids_to_read, MAX_CONCURRENT_CALLS
        ):
            if tags is not None:
                self._tags[account_id], self._read_at[account_id] = tags, now
        self._forget(self._tags.keys() - {*account_ids})
        return dict(self._tags)

    async def _read_one(self, cell: Cell, account_id: str) -> tuple[str, Tags | None]:
        """Return an account with its tags; None if they cannot be read now, but are known."""
        items = cell.list_items("organizations", "ListTagsForResource", "Tags", ResourceId=account_id)
        try:
            return account_id, {str(tag["Key"]): str(tag["Value"]) async for tag in items}
        except Exception as error:  # an error of AWS, or of an unexpected response
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == NOT_A_MEMBER:
                return account_id, {}
            if account_id not in self._tags:
                raise
            log.warning("tags of account %s: %s", account_id, failure_from(error).sentence)
            return account_id, None

    def _forget(self, account_ids: Iterable[str]) -> None:
        for account_id in account_ids:
            del self._tags[account_id], self._read_at[account_id]
