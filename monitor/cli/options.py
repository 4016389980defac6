"""Command-line options that several commands share."""

from typing import Annotated

import typer

from monitor.api.client import TOKEN_VARIABLE

Address = Annotated[
    str,
    typer.Option(
        help=f"Address of Headroom: host:port or https://host:port; ${TOKEN_VARIABLE} is sent as the token."
    ),
]

Patterns = Annotated[
    list[str] | None, typer.Option(help="Include only these: a name or a pattern. Can be repeated.")
]
