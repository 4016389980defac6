"""The entry point of `headroom`. What needs no parser of command lines imports none."""

import gc
import os
import sys
from collections.abc import Sequence

from monitor.api.server_address import ADDRESS_VARIABLE, DEFAULT_ADDRESS


def main() -> None:
    """Run the command line. No garbage is collected: a command whose work is long starts that."""
    gc.disable()
    try:
        run(sys.argv[1:])
    finally:
        gc.freeze()  # else the interpreter looks for garbage among all objects before it exits


def run(arguments: Sequence[str]) -> None:
    """Run a command."""
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
