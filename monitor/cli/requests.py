"""Requests that commands send to a running Headroom."""

from collections.abc import Mapping
from typing import Any, NoReturn

import typer

from monitor.api import client
from monitor.api.answer import AnswerObject, missing_field_message
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

    Reading a field that the response lacks, as that of an older Headroom may, prints so and exits, too.
    options: the command's option for each parameter of the API. If an error of the API begins with a
    parameter, the option is printed instead.
    """
    try:
        return checked_answer(address, client.request(address, method, path, body))
    except client.ApiStatusError as error:
        parameter, colon, sentence = str(error).partition(":")
        option = (options or {}).get(parameter, parameter)
        exit_with(f"{option}{colon}{sentence}", REJECTED)
    except client.ApiTransportError as error:
        exit_with(str(error), FAILED)


def checked_answer(address: str, response: dict[str, Any]) -> dict[str, Any]:
    """Return a response; reading a field that it lacks prints both versions and exits."""

    def exit_without(field: str) -> NoReturn:
        exit_with(missing_field_message(address, field), FAILED)

    return AnswerObject(response, exit_without)


def exit_with(sentence: str, code: int) -> NoReturn:
    """Print an error, and exit with a code."""
    typer.echo(escape_unprintable(sentence), err=True)
    raise typer.Exit(code)
