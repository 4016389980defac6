"""Silences and acknowledgements: stores, applies and expires them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from uuid import uuid4

from msgspec.structs import replace

from monitor.alerting.matchers import Matcher, all_match, parse_matcher_lists
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.tables import ACKNOWLEDGEMENTS, SILENCES, RowKey, StoredRow, Table
from monitor.notifiers.notice import Severity
from monitor.schema.annotations import InvalidInputError, validate_end, validate_text

__all__ = ["MAX_REPLACED", "MAX_SILENCES", "SilenceStore", "Silences"]

MAX_SILENCES = 1000  # stored silences
MAX_REPLACED = 4  # replaced acknowledgements that are stored with an acknowledgement


class SilenceStore(Protocol):
    """Stores silences by id and acknowledgements by alert. `Journal` implements it with SQLite.

    Once `put` or `remove` has returned, `rows_of` contains the change, and the change survives a restart.
    """

    def rows_of(self, table: Table[StoredRow]) -> Mapping[RowKey, StoredRow]:
        """Return the rows of a table by key. Any thread may read them."""

    def put(self, table: Table[StoredRow], row: StoredRow) -> Awaitable[None]:
        """Add or replace a row. Raises ValueError if the row could not be read back unchanged."""

    def remove(self, table: Table[StoredRow], key: RowKey) -> Awaitable[None]:
        """Delete the row with this key, if there is such a row."""


class Silences:
    """The silences and acknowledgements of a store. Times are epoch seconds.

    Every method reads the store, so that changes by other users of the store apply at once. The constructor
    raises MatcherError if a stored matcher is invalid.
    """

    def __init__(self, store: SilenceStore, new_id: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._store, self._new_id = store, new_id
        self._matchers: dict[str, tuple[Matcher, ...]] = {}  # by the silence's id
        self._write_lock = asyncio.Lock()
        for silence in store.rows_of(SILENCES).values():
            self._parse(silence)

    @property
    def stored(self) -> list[Silence]:
        """The stored silences, ordered by their end. `expire` removes silences that have ended."""
        return sorted(self._store.rows_of(SILENCES).values(), key=lambda silence: (silence.ends, silence.id))

    @property
    def acknowledgements(self) -> Mapping[RowKey, Acknowledgement]:
        """The acknowledgements by alert."""
        return self._store.rows_of(ACKNOWLEDGEMENTS)

    def matching_silence(self, labels: Mapping[str, str], at: float) -> Silence | None:
        """Return a silence that is active at `at` and matches the labels, or None.

        Any thread may call this method.
        """
        parsed = self._matchers
        return next(
            (
                silence
                for silence in tuple(self._store.rows_of(SILENCES).values())
                if silence.starts <= at < silence.ends
                and all_match(parsed.get(silence.id) or self._parse(silence), labels)
            ),
            None,
        )

    def _parse(self, silence: Silence) -> tuple[Matcher, ...]:
        matchers = self._matchers[silence.id] = parse_matcher_lists(silence.matchers)
        return matchers

    def acknowledged_severity(self, alert: str, at: float) -> Severity | None:
        """Return the severity up to which an alert is acknowledged at `at`; None if it is not acknowledged.

        Any thread may call this method.
        """
        acknowledgement = self.acknowledgements.get(alert)
        return acknowledgement.severity if acknowledgement and acknowledgement.active_at(at) else None

    async def add(self, silence: Silence, now: float) -> Silence:
        """Store a silence under a new id, and return it. Raises InvalidInputError or MatcherError."""
        matchers = parse_matcher_lists(silence.matchers)
        if all(matcher.matches({}) for matcher in matchers):
            raise InvalidInputError("expected a matcher that does not match everything, found none")
        validate_end(silence.starts, silence.ends, now, "a silence")
        author = validate_text("author", silence.author)
        comment = validate_text("comment", silence.comment)
        texts = tuple(map(str, matchers))
        silence = replace(silence, id=self._new_id(), matchers=texts, author=author, comment=comment)
        async with self._write_lock:
            if len(self._store.rows_of(SILENCES)) >= MAX_SILENCES:
                raise InvalidInputError(
                    f"there are {MAX_SILENCES} silences already; end some, or use wider matchers"
                )
            await self._store.put(SILENCES, silence)
        return silence

    async def end(self, silence_id: str) -> Silence:
        """Remove the silence with this id, and return it. Raises KeyError if no silence has this id."""
        async with self._write_lock:
            silence = self._store.rows_of(SILENCES)[silence_id]
            await self._remove(silence_id)
        return silence

    async def acknowledge(self, acknowledgement: Acknowledgement) -> Acknowledgement:
        """Store an acknowledgement. It replaces an earlier one of its alert. Raises InvalidInputError."""
        author = validate_text("author", acknowledgement.author)
        comment = validate_text("comment", acknowledgement.comment)
        valid = replace(acknowledgement, author=author, comment=comment)
        if valid.until is not None:
            validate_end(valid.at, valid.until, valid.at, "an acknowledgement")
        async with self._write_lock:
            return await self._put(valid)

    async def acknowledge_new(
        self, acknowledgements: Iterable[Acknowledgement]
    ) -> tuple[list[Acknowledgement], list[Acknowledgement]]:
        """Store acknowledgements of alerts that are not acknowledged at their severity yet.

        Returns the acknowledgements that were stored, and the earlier acknowledgements of the other alerts.
        If two clients acknowledge an alert at the same time, one acknowledgement is stored, and the other
        client gets it as the earlier one. Raises InvalidInputError.
        """
        stored, earlier_ones = [], []
        for acknowledgement in acknowledgements:
            valid = replace(
                acknowledgement,
                author=validate_text("author", acknowledgement.author),
                comment=validate_text("comment", acknowledgement.comment),
            )
            async with self._write_lock:
                earlier = self.acknowledgements.get(valid.alert)
                if earlier and earlier.covers(valid.severity, valid.at):
                    earlier_ones.append(earlier)
                else:
                    stored.append(await self._put(valid))
        return stored, earlier_ones

    async def _put(self, acknowledgement: Acknowledgement) -> Acknowledgement:
        """Store an acknowledgement with the earlier one of its alert, which it replaces.

        If both have the same time, the new one only changes the comment, and keeps what the earlier one
        replaced.
        """
        replaced = self.acknowledgements.get(acknowledgement.alert)
        if replaced and replaced.at == acknowledgement.at:
            replaced = replaced.replaced
        if replaced and not replaced.active_at(acknowledgement.at):
            replaced = None
        stored = replace(acknowledgement, replaced=replaced).with_replaced_up_to(MAX_REPLACED)
        await self._store.put(ACKNOWLEDGEMENTS, stored)
        return stored

    async def unacknowledge(
        self, should_undo: Callable[[Acknowledgement], bool], now: float
    ) -> list[Acknowledgement]:
        """Remove the acknowledgements for which `should_undo` returns true, and return them.

        The acknowledgements that they replaced are restored if they have not ended at `now`.
        """
        async with self._write_lock:
            removed = [row for row in self.acknowledgements.values() if should_undo(row)]
            for row in removed:
                if restored := row.acknowledgement_to_restore(now):
                    await self._store.put(ACKNOWLEDGEMENTS, restored)
                else:
                    await self._store.remove(ACKNOWLEDGEMENTS, row.alert)
        return removed

    async def expire(self, now: float, firing_alerts: Iterable[str]) -> None:
        """Remove ended silences, ended acknowledgements, and acknowledgements of alerts that do not fire."""
        firing = set(firing_alerts)
        async with self._write_lock:
            for silence_id in [row.id for row in self._store.rows_of(SILENCES).values() if row.ends <= now]:
                await self._remove(silence_id)
            stored = self.acknowledgements.values()
            for alert in [row.alert for row in stored if row.alert not in firing or not row.active_at(now)]:
                await self._store.remove(ACKNOWLEDGEMENTS, alert)

    async def _remove(self, silence_id: str) -> None:
        await self._store.remove(SILENCES, silence_id)
        self._matchers.pop(silence_id, None)
