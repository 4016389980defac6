"""The command `headroom recommend`."""

import sys
from typing import Annotated, Final, Literal
from urllib.parse import urlencode

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.options import Address

AdviceWord = Literal["raise", "lower", "keep", "unknown"]
DEFAULT_ADVICE: Final = ("raise", "lower", "unknown")

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom recommend --service kinesis --advice lower")
def recommend(
    address: Address = DEFAULT_ADDRESS,
    format: Annotated[Literal["table", "json"], typer.Option(help="Output format.")] = "table",
    advice: Annotated[
        AdviceWord | None, typer.Option(help="Only recommendations with this advice; default: all but keep.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="Only recommendations for the account with this id.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Only recommendations for this region.")] = None,
    service: Annotated[str | None, typer.Option(help="Only recommendations for this service.")] = None,
) -> None:
    """List the right sizes of purchases: shards, volumes, groups ...

    A running Headroom computes the sizes from the demand of the last 14 days, including throttled demand: at
    the right size, the expected 99th percentile of demand, taken over quarters of an hour, is in the target
    band. Growth from week to week is expected to go on. A purchase with one busy limit is never lowered;
    without seven days of history nothing is recommended. Prices are list prices; without a known price, no
    amount of money is shown.
    """
    from monitor.cli.requests import request_or_exit
    from monitor.report.recommendation_formats import FORMATS
    from rules.plurals import agreeing

    filters = [("account", account), ("region", region), ("service", service)]
    parameters = [(name, value) for name, value in filters if value]
    parameters += [("advice", word) for word in ([advice] if advice else DEFAULT_ADVICE)]
    response = request_or_exit(address, "GET", f"/api/v1/recommendations?{urlencode(parameters)}")
    FORMATS[format](response, sys.stdout)
    if left_out := response["total"] - len(response["items"]):
        more = f"{left_out:,} more {agreeing(left_out, 'is', 'are')} not shown"
        typer.echo(f"{more}: choose an account, a region or a service", err=True)
