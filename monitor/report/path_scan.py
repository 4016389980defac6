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
    """The file that describes the paths. number: of paths. cells: read. failures: sentences."""

    yaml: str
    number: int
    cells: int
    failures: list[str]


async def discover_paths(config: Config, registry: Registry) -> DiscoveredPaths:
    """Read where requests go, and propose paths. Errors of AWS are part of the result."""
    telemetry = ProcessTelemetry()
    watcher = Watcher(config, registry, Fleet(), telemetry, AwsTelemetry(telemetry.registry))
    try:
        opened = await watcher.open_all()
        cells = [(watched.cell, account.services) for watched, account in opened.items()]
        found = await find_links(cells)
        failures = [*watcher.sentences(), *found.failures]
    finally:
        await watcher.close()
    paths = propose_paths(found.links)
    accounts = {cell.account for cell, _ in cells}
    return DiscoveredPaths(as_yaml(paths, accounts), len(paths), len(cells), failures)
