"""The resources of an application, which are opened before it and closed after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from collectors.registry import Registry
from monitor.alerting.service import Alerting
from monitor.aws.clients import ClientCache
from monitor.aws.known_accounts import KnownAccounts, known_accounts_path
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.forecast.history import UsageHistory, history_path
from monitor.lib.telemetry import ProcessTelemetry
from monitor.push.service import PushService
from monitor.tracing.tracer import opened_tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """The resources of an App, which are closed after it."""

    fleet: Fleet
    telemetry: ProcessTelemetry
    alerting: Alerting
    push: PushService
    clients: ClientCache
    known_accounts: KnownAccounts
    history: UsageHistory

    @classmethod
    @asynccontextmanager
    async def opened(cls, config: Config, registry: Registry) -> AsyncIterator["Resources"]:
        """Open all resources; close them in the end. Raises JournalError when the journal cannot be used."""
        fleet, journal = Fleet(), Path(config.journal)
        async with AsyncExitStack() as stack:
            telemetry = ProcessTelemetry(await stack.enter_async_context(opened_tracer(config.tracing)))
            alerting = await stack.enter_async_context(
                Alerting.opened(config.alerting_settings(registry), fleet, telemetry)
            )
            push = await stack.enter_async_context(
                PushService.opened(journal, fleet, alerting.client, telemetry.registry)
            )
            clients = await stack.enter_async_context(aclosing(ClientCache()))
            known_accounts = await asyncio.to_thread(KnownAccounts.read, known_accounts_path(journal))
            history = await asyncio.to_thread(UsageHistory.read, history_path(journal))
            yield cls(
                fleet=fleet,
                telemetry=telemetry,
                alerting=alerting,
                push=push,
                clients=clients,
                known_accounts=known_accounts,
                history=history,
            )
