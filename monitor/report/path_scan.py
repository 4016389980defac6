"""Discovers request paths in all configured accounts, with the credentials and rates of `headroom check`."""

from dataclasses import dataclass

from collectors.registry import Registry
from monitor.aws.telemetry import AwsTelemetry
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.lib.telemetry import ProcessTelemetry
from monitor.polling.watcher import Watcher
from monitor.topology.discovery import as_yaml, find_links, propose_paths


@dataclass(frozen=True, slots=True)
class DiscoveredPaths:
    """The request paths that were found in AWS.

    yaml: the file that declares them. has_read: false if no account could be accessed, or if calls failed
    and none succeeded. failures: a sentence for each failed read.
    """

    yaml: str
    has_read: bool
    failures: list[str]


async def discover_paths(config: Config, registry: Registry) -> DiscoveredPaths:
    """Read the links between resources, and propose request paths. Failed reads are in the result."""
    telemetry = ProcessTelemetry()
    watcher = Watcher(config, registry, Fleet(), telemetry, AwsTelemetry(telemetry.registry))
    try:
        accounts_by_cell = await watcher.open_all()
        cells = [(watched.cell, account.services) for watched, account in accounts_by_cell.items()]
        discovered_links = await find_links(cells)
        failures = [*watcher.sentences(), *discovered_links.failures]
    finally:
        await watcher.close()
    has_read = any(True in cell.has_succeeded.values() for cell, _ in cells) or not failures
    paths = propose_paths(discovered_links.links)
    accounts = {cell.account for cell, _ in cells}
    return DiscoveredPaths(as_yaml(paths, accounts), bool(cells) and has_read, failures)
