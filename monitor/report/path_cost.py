"""The cost of the metrics that are read for request paths alone."""

from collections import Counter

from monitor.config.config import Config
from monitor.cost.bills import ProjectedCost, project, sum_of
from monitor.cost.prices import AccountPrices
from monitor.fleet.fleet import Fleet
from monitor.topology.resolver import PERIOD, AccountNames, place_paths


async def path_cost(
    fleet: Fleet, config: Config, prices: AccountPrices, names: AccountNames
) -> ProjectedCost:
    """Return the monthly cost of the metrics of the configured paths, for accounts billed in dollars."""
    placed_paths = await place_paths(fleet, config.request_paths, names)
    metrics = {metric for path in placed_paths for hop in path.hops for metric in hop.metrics}
    counts_by_payer = Counter(fleet.payer_of(cell)[0] for cell, _ in metrics)
    return sum_of(
        project(Counter({float(PERIOD): count}), 0, prices.of(payer))
        for payer, count in counts_by_payer.items()
        if prices.in_dollars(payer)
    )
