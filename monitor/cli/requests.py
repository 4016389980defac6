"""Requests of a running Headroom by commands."""

from collections.abc import Mapping
from typing import Any, NoReturn

import typer

from monitor.api import client
from monitor.cli.exit_codes import FAILED, REJECTED
from monitor.lib.text import escape_unprintable


def request_or_exit(
    address: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the response of a running Headroom; print the error and exit if the request fails.

    names: of the options of the command, by the parameter of the API with which an error begins.
    """
    try:
        return client.request(address, method, path, body)
    except client.ApiStatusError as error:
        name, colon, sentence = str(error).partition(":")
        option = (names or {}).get(name, name)
        exit_with(f"{option}{colon}{sentence}", REJECTED)
    except client.ApiTransportError as error:
        exit_with(str(error), FAILED)


def exit_with(sentence: str, code: int) -> NoReturn:
    """Print an error and exit."""
    typer.echo(escape_unprintable(sentence), err=True)
    raise typer.Exit(code)
