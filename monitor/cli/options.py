"""Command-line options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.api.server_address import TOKEN_VARIABLE

Address = Annotated[
    str,
    typer.Option(
        help=f"Address of Headroom: host:port or https://host:port; ${TOKEN_VARIABLE} is sent as the token."
    ),
]

Patterns = Annotated[
    list[str] | None, typer.Option(help="Include only these: a name or a pattern. Can be repeated.")
]

AllowBlind = Annotated[
    bool, typer.Option("--allow-blind", help="Exit with 0 instead of 3 when some requested reads failed.")
]

FORECASTS = 100  # series

WithForecasts = Annotated[
    bool,
    typer.Option(
        "--forecast",
        help=f"Tell when the {FORECASTS} most urgent series reach their limits, by their last 14 days; "
        "CloudWatch bills each of their metrics once more.",
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
