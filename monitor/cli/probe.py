"""Does the work of `headroom healthcheck`: turns the health of a running Headroom into an exit code."""

import sys

from monitor.api.health_probe import probe_health
from monitor.cli.exit_codes import UNHEALTHY

HEALTHY_STATUS = "200 OK"


def probe(address: str) -> int:
    """Return the exit code for the Headroom at an address; print the reason if it is not healthy."""
    try:
        status = probe_health(address)
    except (OSError, ValueError) as error:
        status = str(error).strip()
    if status == HEALTHY_STATUS:
        return 0
    from monitor.lib.text import escape_unprintable

    print(escape_unprintable(f"{address}: {status}"), file=sys.stderr)
    return UNHEALTHY
