"""Loads the details of the series on the screen, for their bands, sparklines and ages."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from monitor.top.client import HeadroomClient, RequestError
from monitor.top.detail import SeriesDetail

MAX_AGE = 60.0  # seconds: there is one sample per minute


class DetailLoader:
    """Fetches details one at a time, and fetches a detail again once it is older than `max_age` seconds.

    on_change: called with all details, by series id, whenever a detail was loaded.
    """

    def __init__(
        self,
        client: HeadroomClient,
        on_change: Callable[[Mapping[str, SeriesDetail]], None],
        max_age: float = MAX_AGE,
    ) -> None:
        self._client, self._on_change, self._max_age = client, on_change, max_age
        self._details: dict[str, SeriesDetail] = {}
        self._requested_at: dict[str, float] = {}  # the time of the last request to the API
        self._requested_ids: Collection[str] = ()
        self._request_changed = asyncio.Event()

    def request(self, identities: Collection[str]) -> None:
        """Load the details of only these series from now on."""
        self._requested_ids = identities
        self._request_changed.set()

    def retain(self, identities: Collection[str]) -> Mapping[str, SeriesDetail]:
        """Drop the details of all series but these; return the remaining details by series id."""
        for by_id in (self._details, self._requested_at):
            for identity in by_id.keys() - set(identities):
                del by_id[identity]
        return dict(self._details)

    async def run(self) -> None:
        """Load the requested details until cancelled."""
        while True:
            await self._request_changed.wait()
            self._request_changed.clear()
            while identity := self._next_due_id():
                self._requested_at[identity] = time.monotonic()
                try:
                    detail = SeriesDetail(await self._client.get_series(identity), time.time())
                except RequestError:  # polling the list fails as well, and shows the error
                    break
                self._details[identity] = detail
                self._on_change(dict(self._details))

    def _next_due_id(self) -> str | None:
        cutoff = time.monotonic() - self._max_age
        due_ids = (id_ for id_ in self._requested_ids if self._requested_at.get(id_, cutoff) <= cutoff)
        return next(due_ids, None)
