"""Command-line options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from monitor.api.server_address import ADDRESS_VARIABLE, TOKEN_VARIABLE

Address = Annotated[
    str,
    typer.Option(
        envvar=ADDRESS_VARIABLE,
        help=f"Address of Headroom: host:port or https://host:port; ${TOKEN_VARIABLE} is sent as the token.",
    ),
]


def split_commas(values: Sequence[str] | None) -> list[str] | None:
    """Return all values of an option that can be repeated and can have commas; None if it is not given."""
    if not values:
        return None
    return [part for value in values for part in map(str.strip, value.split(",")) if part]


Patterns = Annotated[
    list[str] | None,
    typer.Option(
        callback=split_commas,
        help="Include only this: names or patterns, separated by commas. Can be repeated.",
    ),
]

ResourcePatterns = Annotated[
    list[str] | None,
    typer.Option(
        callback=split_commas,
        help="Include only this: names, ids or patterns, separated by commas; write ? for a comma in a name. "
        "Can be repeated.",
    ),
]

LogFormat = Annotated[
    Literal["text", "json"],
    typer.Option(help="Plain lines, or one JSON object per line with time, level, logger and message."),
]

LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], typer.Option(help="The lowest level that is logged.")
]

AllowBlind = Annotated[
    bool, typer.Option("--allow-blind", help="Exit with 0 instead of 3 when some requested reads failed.")
]

MAX_FORECASTS = 100  # number of series to forecast
MAX_SIZES = 400  # number of series with bought limits, for which the right size is computed

WithForecasts = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help=f"Forecast when the {MAX_FORECASTS} most urgent series reach their limits, by their last 14 "
        "days; CloudWatch bills each of their metrics once more.",
    ),
]

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file; default: $HEADROOM_CONFIG, else ./headroom.yaml if there is one. "
        "Your own services are in catalogue.d/ beside it.",
    ),
]
