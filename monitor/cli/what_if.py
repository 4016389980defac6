"""The command `headroom what-if`."""

import sys
from typing import Annotated, Literal
from urllib.parse import urlencode

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.options import Address

WhatIfFormat = Literal["table", "json"]
# An error of the API begins with the name of a parameter; the command prints its own option instead.
PARAMETERS = ("traffic", "path", "match", "region_fails", "to", "resource")
OPTIONS = {name: f"--{name.replace('_', '-')}" for name in PARAMETERS}
OPTIONS["set_limit"] = "--limit"

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom what-if --traffic 3x --match 'service=\"lambda\"'")
def what_if(
    traffic: Annotated[str, typer.Option(help="The factor by which traffic grows: 3x.", metavar="N")] = "",
    match: Annotated[
        list[str] | None,
        typer.Option(help='Matchers that select the traffic, as for silences: service="lambda".'),
    ] = None,
    path: Annotated[str, typer.Option(help="The request path whose traffic grows.", metavar="NAME")] = "",
    region_fails: Annotated[str, typer.Option(help="The region that fails.", metavar="REGION")] = "",
    to: Annotated[str, typer.Option(help="The region that receives the traffic.", metavar="REGION")] = "",
    limit: Annotated[
        str,
        typer.Option(help="A changed limit: ebs.volume_iops=9k.", metavar="SIGNAL=N"),
    ] = "",
    resource: Annotated[
        str, typer.Option(help="The name or id of the resource whose limit --limit changes.")
    ] = "",
    counts: Annotated[
        bool, typer.Option("--counts", help="Let numbers of things and stored amounts grow, too.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, max=1000, help="The number of series to list.")] = 25,
    format: Annotated[WhatIfFormat, typer.Option(help="Output format.")] = "table",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Show which limits are reached first when traffic grows.

    Options ask the same for a region that fails or a limit that changes. A running Headroom computes the
    answer from the highest demand of the last 14 days, including throttled demand if that is known, and
    from the lowest usage at which demand was throttled. The answer has the quotas to request and the
    commands that make room; nothing is sent to AWS.
    """
    from monitor.cli.requests import request_or_exit
    from monitor.report.what_if_formats import FORMATS

    parameters = {"traffic": traffic, "path": path, "region_fails": region_fails, "to": to}
    parameters |= {"set_limit": limit, "resource": resource, "limit": str(top)}
    parameters |= {"counts": "true"} if counts else {}
    pairs = [
        *((name, value) for name, value in parameters.items() if value),
        *(("match", matcher) for matcher in match or ()),
    ]
    query = urlencode(pairs, errors="replace")
    answer = request_or_exit(address, "GET", f"/api/v1/what-if?{query}", options=OPTIONS)
    FORMATS[format](answer, sys.stdout)
    if format == "table":
        _print_left_out(answer["total"] - len(answer["items"]))


def _print_left_out(series_count: int) -> None:
    from rules.plurals import agreeing

    if series_count > 0:
        more = f"{series_count:,} more series {agreeing(series_count, 'is', 'are')} not shown"
        typer.echo(f"{more}: --top lists up to 1,000", err=True)
