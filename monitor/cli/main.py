"""The entry point of `headroom`. `--version` and `healthcheck` import no parser of command lines."""

import gc
import os
import sys
from collections.abc import Sequence

from monitor.api.server_address import ADDRESS_VARIABLE, DEFAULT_ADDRESS


def main() -> None:
    """Run the command line. Python's garbage collection is off; long commands resume it."""
    gc.disable()
    try:
        run(sys.argv[1:])
    finally:
        gc.freeze()  # otherwise, the interpreter searches all objects for garbage before it exits


def run(arguments: Sequence[str]) -> None:
    """Run the command of these arguments."""
    if arguments == ["--version"]:
        from monitor.lib.version import VERSION

        print(f"headroom {VERSION}")
    elif (address := probed_address(arguments)) is not None:
        from monitor.cli.probe import probe

        sys.exit(probe(address))
    else:
        # Pydantic would look for plugins in the metadata of all installed packages.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from monitor.cli.commands import app

        app()


def probed_address(arguments: Sequence[str]) -> str | None:
    """Return the address of a plain `headroom healthcheck`, which containers run every few seconds.

    None for any other command line, which the parser reads.
    """
    match arguments:
        case ["healthcheck"]:
            return os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS
        case ["healthcheck", "--address", address]:
            return address
    return None
