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
    options: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the response of a running Headroom; print the error and exit if the request fails.

    options: the command's option for each parameter of the API. If an error of the API begins with a
    parameter, the option is printed instead.
    """
    try:
        return client.request(address, method, path, body)
    except client.ApiStatusError as error:
        parameter, colon, sentence = str(error).partition(":")
        option = (options or {}).get(parameter, parameter)
        exit_with(f"{option}{colon}{sentence}", REJECTED)
    except client.ApiTransportError as error:
        exit_with(str(error), FAILED)


def exit_with(sentence: str, code: int) -> NoReturn:
    """Print an error, and exit with a code."""
    typer.echo(escape_unprintable(sentence), err=True)
    raise typer.Exit(code)
