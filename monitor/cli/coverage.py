"""The command `headroom coverage`."""

import sys
from typing import Annotated, Literal, get_args
from urllib.parse import urlencode

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.options import Address
from monitor.lib.text import escape_unprintable

CoverageFormat = Literal["table", "json", "csv", "markdown"]
CoverageStateWord = Literal[
    "watched", "stale", "not_permitted", "not_enabled", "value_only", "no_usage_source"
]
StateOption = Annotated[
    CoverageStateWord | None,
    typer.Option(
        help=f"Only quotas in this state: {', '.join(get_args(CoverageStateWord))}.", metavar="STATE"
    ),
]

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom coverage --state not_enabled --format csv")
def coverage(
    address: Address = DEFAULT_ADDRESS,
    format: Annotated[CoverageFormat, typer.Option(help="Output format.")] = "table",
    state: StateOption = None,
    service_code: Annotated[
        str | None, typer.Option(help="Only quotas of this service code, such as ec2.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Only quotas with this text in their name or code.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Only quotas of the account with this id.")] = None,
    region: Annotated[str | None, typer.Option(help="Only quotas of this region.")] = None,
) -> None:
    """List the quotas of the services in use: watched, or why not.

    A cost is the list price of a month: for requesting the metrics of a quota (API calls are free), or for
    the AWS setting that makes the quota observable. If a cost cannot be told in advance, the column `reason`
    says what it depends on.
    Service Quotas is read once a day, and resources are counted little by little: the list is complete an
    hour after the start. Failed reads are listed below the quotas.
    """
    from monitor.cli.requests import request_or_exit

    filters = {
        "state": state,
        "service_code": service_code,
        "text": text,
        "account": account,
        "region": region,
    }
    query = urlencode({name: value for name, value in filters.items() if value})
    response = request_or_exit(address, "GET", f"/api/v1/coverage{'?' if query else ''}{query}")
    from monitor.report.coverage_formats import FORMATS

    FORMATS[format](response, sys.stdout)
    for note in response["notes"] if format != "json" else ():
        typer.echo(escape_unprintable(note), err=True)
    from rules.plurals import agreeing, count_of

    if left_out := response["total"] - len(response["items"]):
        more = f"{count_of(left_out, 'more quota')} {agreeing(left_out, 'is', 'are')} not shown"
        typer.echo(f"{more}: choose an account or a service code", err=True)
