"""Requests that commands send to a running Headroom."""

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

    names: the command's options by the parameters of the API, which an error of the API begins with.
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
    """Print an error, and exit with a code."""
    typer.echo(escape_unprintable(sentence), err=True)
    raise typer.Exit(code)
