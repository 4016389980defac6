"""Hints of what to try next with a running demo: addresses, and commands that are ready to paste."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from monitor.demo.environment import CREDENTIALS


def headroom_command(program: str, search_path: str) -> str:
    """Return a command that runs this Headroom in any folder, as words of a shell.

    It is `headroom` if that leads to this program, else the program's absolute path. program: the path by
    which it was started. search_path: the variable PATH of the user.
    """
    path, found = Path(program).absolute(), shutil.which("headroom", path=search_path)
    if found and path.exists() and Path(found).samefile(path):
        return "headroom"
    if path.name == "__main__.py":
        return f"{quote(sys.executable)} -m monitor"
    return quote(str(path))


def hints(listen: str, receiver_address: str, config: Path, command: str) -> Iterator[str]:
    """Yield lines of addresses and commands.

    listen: host and port of Headroom. receiver_address: the address of the page with the received
    notifications. command: see `headroom_command`.
    """
    base = f"http://{listen}"
    environment = " ".join(f"{name}={quote(value)}" for name, value in CREDENTIALS.items())
    file = quote(str(config))
    pages = {
        f"{base}/": "web page",
        f"{receiver_address}/": "received notifications",
        f"{base}/metrics": "Prometheus metrics",
        f"{base}/api/v1/series": "JSON API",
        f"{base}/docs": "API documentation",
    }
    width = max(map(len, pages))
    yield "Open:"
    yield from (f"  {address:<{width}}    {content}" for address, content in pages.items())
    yield "Try, in another terminal:"
    yield f"  {command} top --address {listen}"
    yield f"  {command} what-if --traffic 2x --address {listen}"
    yield f"  env {environment} {command} check --config {file}"
    yield f"  env {environment} {command} lookback --config {file}"
