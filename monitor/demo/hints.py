"""Hints of what to try next with a running demo: addresses, and commands that are ready to paste."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from monitor.demo.environment import CREDENTIALS


def headroom_command() -> str:
    """Return the command of Headroom: `headroom`, or the path of this program if PATH lacks it."""
    return "headroom" if shutil.which("headroom") else quote(sys.argv[0])


def hints(listen: str, receiver_address: str, config: Path) -> Iterator[str]:
    """Yield lines of addresses and commands.

    listen: host and port of Headroom. receiver_address: the address of the page with the received
    notifications.
    """
    base, command = f"http://{listen}", headroom_command()
    environment = " ".join(f"{name}={quote(value)}" for name, value in CREDENTIALS.items())
    file = quote(str(config))
    yield "Open:"
    yield f"  {base}/                 web page"
    yield f"  {receiver_address}/                 received notifications"
    yield f"  {base}/metrics          Prometheus metrics"
    yield f"  {base}/api/v1/series    JSON API"
    yield f"  {base}/docs             API documentation"
    yield "Try, in another terminal:"
    yield f"  {command} top --address {listen}"
    yield f"  {command} what-if --traffic 2x --address {listen}"
    yield f"  env {environment} {command} check --config {file}"
    yield f"  env {environment} {command} lookback --config {file}"
