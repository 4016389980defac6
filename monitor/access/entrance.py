"""The entrance of one server: its gate and its certificate, by the configuration in force."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from monitor.access.access import REASONS, Access
from monitor.access.certificate import Certificate
from monitor.access.gate import Gate
from monitor.access.telemetry import AccessTelemetry
from monitor.config import Config
from monitor.schedule import repeat
from monitor.telemetry import Telemetry

log = logging.getLogger(__name__)

LOOK: Final = 5.0  # seconds between two looks at the certificate's files


class Entrance:
    """Where requests come in. Raises ValueError when the certificate, which was of use, no longer is."""

    def __init__(self, config: Config, telemetry: Telemetry) -> None:
        self._listen, self._telemetry = config.listen, telemetry
        self._told = AccessTelemetry(telemetry.registry, REASONS)
        self._access = Access(config.auth)
        self._certificate = Certificate(config.tls, self._told.certificates) if config.tls else None

    def guard(self, web: FastAPI) -> None:
        """Have everything that is asked of an application pass the gate, before all that was added so far."""
        web.add_middleware(Gate, access=self._access, failures=self._told.failures)

    def secure(self, server: uvicorn.Config) -> None:
        """Have a server speak https, where a certificate is configured."""
        server.load()
        server.ssl = self._certificate.context if self._certificate else None

    def loops(self) -> Iterator[Coroutine[None, None, None]]:
        """What runs beside the server."""
        if self._certificate:
            yield repeat("certificate", "certificate", LOOK, self._renew, self._telemetry)

    def check(self, config: Config) -> None:
        """Raises ConfigError when a new configuration would open, to others, where we listen until we end."""
        config.listening_on(self._listen)

    async def configure(self, config: Config) -> None:
        """Take a new configuration into use, that was checked."""
        self._access.configure(config.auth)
        if (config.tls is None) != (self._certificate is None):
            log.warning("`tls` changed: it takes effect at the next start")
        elif self._certificate:
            await asyncio.to_thread(self._certificate.renew, config.tls)

    async def _renew(self) -> None:
        if self._certificate:
            await asyncio.to_thread(self._certificate.renew)
