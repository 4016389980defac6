"""Credentials that sign calls: the environment's, or a role's, which is assumed with the environment's.

Both are read again when AWS rejects them, as files, processes and tokens change while Headroom runs.
"""

import asyncio
import logging
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiobotocore.credentials import AioCredentials
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, CredentialRetrievalError, NoCredentialsError

log = logging.getLogger(__name__)

CREDENTIALS_TIMEOUT = 60.0  # seconds to wait for the credentials of the environment
MIN_READ_INTERVAL = 5.0  # seconds between two attempts to read credentials that could not be read
MIN_REFRESH_INTERVAL = 30.0  # seconds between two refreshes, as each starts a process or calls STS
MAX_REFRESH_INTERVAL = 3600.0  # seconds between two refreshes for a region that rejects all credentials
EXPIRY_MARGIN = 600.0  # seconds; a role's credentials are renewed this long before they expire


@dataclass(slots=True)
class Backoff:
    """The wait of a region for its next refresh.

    refreshed_at: the time of the last refresh, by the clock of the credentials. interval: seconds from the
    last refresh to the next.
    """

    refreshed_at: float = -math.inf
    interval: float = MIN_REFRESH_INTERVAL

    def is_over(self, now: float) -> bool:
        """Return whether the region may request another refresh."""
        return now - self.refreshed_at >= self.interval

    def next(self, now: float) -> "Backoff":
        """Return the backoff after another refresh: twice as long, unless the last refresh is long ago."""
        if now - self.refreshed_at > 2 * MAX_REFRESH_INTERVAL:
            return Backoff(now)
        return Backoff(now, min(2 * self.interval, MAX_REFRESH_INTERVAL))


class Credentials(ABC):
    """Credentials that change with time. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refresh_lock = asyncio.Lock()
        self._refreshed_at = clock() - MIN_REFRESH_INTERVAL
        self._backoffs: dict[str, Backoff] = {}  # by region

    @abstractmethod
    async def frozen(self) -> ReadOnlyCredentials:
        """Return the present credentials. Raises one of AWS_ERRORS when there are none."""

    @abstractmethod
    async def _reload(self) -> None:
        """Drop or renew the present credentials. Raises one of AWS_ERRORS."""

    async def refresh(self, rejected: ReadOnlyCredentials, region: str) -> bool:
        """Replace credentials that a region rejected. Return true if the present credentials are different.

        Credentials are read again at most every MIN_REFRESH_INTERVAL. A region that also rejects the new
        credentials may not be enabled in the account: it waits twice as long for each next refresh.
        """
        async with self._refresh_lock:
            if await self.frozen() != rejected:
                return True
            now, backoff = self._clock(), self._backoffs.get(region)
            must_wait = backoff is not None and not backoff.is_over(now)
            if must_wait or now - self._refreshed_at < MIN_REFRESH_INTERVAL:
                return False
            self._refreshed_at = now
            await self._reload()
            if refreshed := await self.frozen() != rejected:
                self._backoffs[region] = backoff.next(now) if backoff else Backoff(now)
                log.info("AWS rejected the credentials in %s: they were read again", region)
            return refreshed


class EnvironmentCredentials(Credentials):
    """The credentials that botocore finds: in variables, files, processes, web identity or the machine.

    timeout: seconds that a caller waits at most. One task at a time reads, and goes on after the
    timeout, so that a `credential_process` that hangs is not started a second time. A failure is raised again
    for MIN_READ_INTERVAL seconds, so that not every call of hundreds of cells starts a process.
    profile: a profile of the AWS configuration files; None: the environment's choice.
    """

    def __init__(
        self,
        timeout: float = CREDENTIALS_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        profile: str | None = None,
    ) -> None:
        super().__init__(clock)
        self._timeout, self._profile = timeout, profile
        self._failure: Exception | None = None
        self._failed_at = 0.0
        self._session: AioSession | None = None
        self._found: AioCredentials | None = None  # the credentials that the session found
        self._session_lock = asyncio.Lock()
        self._reading: asyncio.Task[ReadOnlyCredentials] | None = None
        self._reading_since = 0.0

    async def region(self) -> str | None:
        """Return the region that the profile or the environment names.

        Raises ProfileNotFound if the profile does not exist.
        """
        session = await self._current_session()
        try:
            configured = await asyncio.to_thread(session.get_config_variable, "region")
            profile_region = session.get_scoped_config().get("region") if self._profile else None
        except Exception:
            self._session = None
            raise
        return profile_region or os.environ.get("AWS_REGION") or configured  # botocore ignores AWS_REGION

    async def frozen(self) -> ReadOnlyCredentials:
        """Return the credentials (see `Credentials`). Raises CredentialRetrievalError after the timeout."""
        if self._found and not _is_to_be_renewed(self._found):
            return await self._found.get_frozen_credentials()
        if self._failure and self._clock() - self._failed_at < MIN_READ_INTERVAL:
            raise self._failure.with_traceback(None)
        if self._reading is None:
            self._reading, self._reading_since = asyncio.create_task(self._read()), self._clock()
            self._reading.add_done_callback(self._end_reading)
        reading, remaining = self._reading, self._reading_since + self._timeout - self._clock()
        await asyncio.wait({reading}, timeout=max(remaining, 0.0))
        if not reading.done():
            message = f"no answer within {self._timeout:g} s"
            raise CredentialRetrievalError(provider="the environment", error_msg=message)
        if error := reading.exception():
            raise error.with_traceback(None)
        return reading.result()

    async def _read(self) -> ReadOnlyCredentials:
        session = await self._current_session()
        if (credentials := await session.get_credentials()) is None:
            raise NoCredentialsError
        frozen: ReadOnlyCredentials = await credentials.get_frozen_credentials()
        if session is self._session:  # no reload has begun meanwhile
            self._found = credentials
        return frozen

    def _end_reading(self, reading: asyncio.Task[ReadOnlyCredentials]) -> None:
        """Let the next call read again, with a new session after a failure."""
        self._reading = self._failure = None
        if reading.cancelled():
            self._session = self._found = None
        elif isinstance(error := reading.exception(), Exception):
            self._session = self._found = None
            self._failure, self._failed_at = error, self._clock()

    async def _current_session(self) -> AioSession:
        """Return the session that finds credentials. A session reads files once; a reload needs another."""
        async with self._session_lock:
            if self._session is None:
                self._session = await asyncio.to_thread(_create_session, self._profile)
        return self._session

    async def _reload(self) -> None:
        self._session = self._failure = self._found = None


def _is_to_be_renewed(credentials: AioCredentials) -> bool:
    """Return whether botocore would read credentials again before it returns them."""
    return isinstance(credentials, RefreshableCredentials) and credentials.refresh_needed()


def _create_session(profile: str | None) -> AioSession:
    """Return a session with its credential provider. Call it in a thread: loading takes a while."""
    session = AioSession(profile=profile)
    with suppress(BotoCoreError):  # reading the credentials raises the error again
        session.get_component("credential_provider")
    return session


class RoleCredentials(Credentials):
    """The credentials of a role, renewed before they expire.

    assume: returns the member `Credentials` of STS's response; raises one of AWS_ERRORS. A failure is raised
    again for MIN_REFRESH_INTERVAL seconds, so that not every call of the account calls STS.
    """

    def __init__(
        self,
        assume: Callable[[], Awaitable[Mapping[str, Any]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._assume = assume
        self._assume_lock = asyncio.Lock()
        self._current = ReadOnlyCredentials("", "", None)
        self._expires_at = 0.0  # epoch seconds
        self._failure: Exception | None = None
        self._failed_at = 0.0

    async def frozen(self) -> ReadOnlyCredentials:
        """Return the credentials (see `Credentials`); assume the role when they are about to expire."""
        async with self._assume_lock:
            if time.time() > self._expires_at - EXPIRY_MARGIN and not self._has_failed_lately():
                await self._assume_role()
            if self._failure and time.time() >= self._expires_at:
                raise self._failure.with_traceback(None)
            return self._current

    def _has_failed_lately(self) -> bool:
        return bool(self._failure) and self._clock() - self._failed_at < MIN_REFRESH_INTERVAL

    async def _assume_role(self) -> None:
        """Assume the role. A failure is remembered; the present credentials stay in use until they expire."""
        try:
            credentials = await self._assume()
        except Exception as error:
            if self._failure is None and self._expires_at:
                log.warning("a role's credentials cannot be renewed: %s", error)
            self._failure, self._failed_at = error, self._clock()
        else:
            self._failure = None
            self._current = ReadOnlyCredentials(
                credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
            )
            self._expires_at = credentials["Expiration"].timestamp()

    async def _reload(self) -> None:
        """Assume the role again.

        Until this succeeds, the present credentials stay in use, as other regions may accept them.
        """
        async with self._assume_lock:
            await self._assume_role()
