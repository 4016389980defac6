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

    yaml: the file that declares them. path_count: the number of paths. cell_count: the number of cells that
    were read. failures: a sentence for each failed read.
    """

    yaml: str
    path_count: int
    cell_count: int
    failures: list[str]


async def discover_paths(config: Config, registry: Registry) -> DiscoveredPaths:
    """Read the links between resources, and propose request paths. Failed reads are in the result."""
    telemetry = ProcessTelemetry()
    watcher = Watcher(config, registry, Fleet(), telemetry, AwsTelemetry(telemetry.registry))
    try:
        accounts_by_cell = await watcher.open_all()
        cells = [(watched.cell, account.services) for watched, account in accounts_by_cell.items()]
        found = await find_links(cells)
        failures = [*watcher.sentences(), *found.failures]
    finally:
        await watcher.close()
    paths = propose_paths(found.links)
    accounts = {cell.account for cell, _ in cells}
    return DiscoveredPaths(as_yaml(paths, accounts), len(paths), len(cells), failures)
