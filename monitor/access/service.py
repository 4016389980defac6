"""Access control of one server: authentication, and the TLS certificate."""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from monitor.access.authenticator import Authenticator
from monitor.access.certificate import Certificate
from monitor.access.middleware import AuthMiddleware
from monitor.access.settings import AccessSettings, exposure_problems
from monitor.access.telemetry import AccessTelemetry
from monitor.http.errors import ErrorPage
from monitor.lib.schedule import Schedule, repeat
from monitor.lib.telemetry import ProcessTelemetry
from monitor.schema.problems import ConfigError, problem_lines

log = logging.getLogger(__name__)

CERTIFICATE_CHECK_INTERVAL: Final = 5.0  # seconds between two checks for changed files


class AccessService:
    """Authenticates the requests of one server and keeps its certificate up to date.

    exempt_paths: paths served without authentication. check_interval: seconds between two checks of the
    certificate's files. Raises ValueError when the certificate cannot be used.
    """

    def __init__(
        self,
        settings: AccessSettings,
        telemetry: ProcessTelemetry,
        exempt_paths: Collection[str] = (),
        check_interval: float = CERTIFICATE_CHECK_INTERVAL,
    ) -> None:
        self._listen, self._telemetry, self._check_interval = settings.listen, telemetry, check_interval
        self._metrics = AccessTelemetry(telemetry.registry)
        self._authenticator = Authenticator(settings.auth, exempt_paths)
        self._certificate = (
            Certificate(settings.tls, self._metrics.certificate_reloads) if settings.tls else None
        )

    def add_middleware(self, web: FastAPI, error_page: ErrorPage) -> None:
        """Authenticate every request of an application before its existing middleware handles the request."""
        web.add_middleware(
            AuthMiddleware,
            authenticator=self._authenticator,
            failures=self._metrics.failures,
            error_page=error_page,
        )

    def configure_tls(self, server: uvicorn.Config) -> None:
        """Configure a server for https if there is a certificate, else for http."""
        server.load()
        server.ssl = self._certificate.context if self._certificate else None

    def loops(self) -> Iterator[Coroutine[None, None, None]]:
        """Yield the loops to run beside the server."""
        if self._certificate:
            schedule = Schedule("certificate", self._check_interval)
            yield repeat("certificate", schedule, self._reload, self._telemetry)

    def validate(self, settings: AccessSettings) -> None:
        """Raise ConfigError if new settings would expose the server's current address without `auth`."""
        if problems := problem_lines("", exposure_problems(self._listen, settings.auth)):
            raise ConfigError(problems)

    async def configure(self, settings: AccessSettings) -> None:
        """Replace the settings. Call `validate` first."""
        self._authenticator.configure(settings.auth)
        if (settings.tls is None) != (self._certificate is None):
            log.warning("`tls` changed: it takes effect at the next start")
        elif self._certificate:
            await asyncio.to_thread(self._certificate.reload, settings.tls)

    async def _reload(self) -> None:
        if self._certificate:
            await asyncio.to_thread(self._certificate.reload)
