"""`headroom alerts`: alerts and silences of a running Headroom."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import typer

from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.cli.lazy_group import LazyCommand, LazyGroup
from monitor.cli.options import Address
from monitor.lib.text import escape_unprintable


class AlertCommands(LazyGroup):
    """The commands that call a running Headroom, and `test-receiver`, which reads the configuration."""

    lazy_commands: ClassVar = {
        "test-receiver": LazyCommand(
            "monitor.cli.receiver_trial",
            "Send a test alert and its resolution to a receiver.",
        )
    }


app = typer.Typer(
    cls=AlertCommands,
    help="List, acknowledge and silence alerts of a running Headroom.",
    no_args_is_help=True,
    add_completion=False,
)


Author = Annotated[str, typer.Option(help="Your name; default: your user name.")]
Comment = Annotated[str, typer.Option(help="A comment, such as the reason.")]
AlertIdArgument = Annotated[str, typer.Argument(help="The alert's id, as `headroom alerts list` shows it.")]
SilenceIdArgument = Annotated[
    str, typer.Argument(help="The silence's id, as `headroom alerts silence` prints it.")
]


@app.command("list", epilog="Example: headroom alerts list 'service=\"s3\"' --state firing --format json")
def list_(
    matchers: Annotated[
        list[str] | None,
        typer.Argument(help='Matchers as for silences, such as severity="critical"; all must match.'),
    ] = None,
    state: Annotated[
        Literal["firing", "pending"] | None, typer.Option(help="Only alerts in this state.")
    ] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="Output format.")] = "table",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """List firing and pending alerts.

    Firing alerts that nobody handles come first, then other firing alerts, then pending alerts; in each of
    the three groups, the most urgent first.
    """
    from urllib.parse import urlencode

    from monitor.cli.requests import request_or_exit

    pairs = [("match", matcher) for matcher in matchers or ()] + ([("state", state)] if state else [])
    query = urlencode(pairs, errors="replace")
    listed = request_or_exit(address, "GET", f"/api/v1/alerts{'?' if query else ''}{query}")
    if format == "json":
        typer.echo(json.dumps(listed, indent=2))
    else:
        _print_alerts(listed)


def _print_alerts(listed: Mapping[str, Any]) -> None:
    """Print the API's list of alerts: to a terminal as a table, else as lines with tabs."""
    rows = [[escape_unprintable(cell) for cell in list_row(alert)] for alert in listed["items"]]
    if left_out := listed["total"] - len(rows):
        from rules.plurals import agreeing, count_of

        shown = agreeing(left_out, "is", "are")
        typer.echo(f"{count_of(left_out, 'more alert')} {shown} not shown", err=True)
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(cells) + "\n" for cells in rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "state", "severity", "alert", "handling"):
        table.add_column(column, overflow="fold", no_wrap=column == "id")
    for cells in rows:
        table.add_row(*map(Text, cells))
    Console(highlight=False).print(table)


def list_row(alert: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of an alert's row. alert: an item of the API's list of alerts."""
    from monitor.render.text import HANDLING_TEXTS

    handling = [f"{phrase} {alert[key]}" for key, phrase in HANDLING_TEXTS.items() if alert[key]]
    return alert["id"], alert["state"], alert["severity"], alert["summary"], ", ".join(handling)


@app.command(epilog='Example: headroom alerts ack 0f3c9d7a1b2e4f56 --duration 2h --comment "adding shards"')
def ack(
    alert: AlertIdArgument,
    comment: Comment,
    duration: Annotated[
        str, typer.Option(help="The duration: 30m, 2h, 1d; default: until the alert ends.")
    ] = "",
    author: Author = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Acknowledge an alert, so that it is not repeated.

    Receivers get only its escalation and its resolution.
    """
    from monitor.api.client import quote_segment
    from monitor.cli.requests import request_or_exit
    from monitor.lib.current_user import current_user

    body = {"author": author or current_user(), "comment": comment, "duration": duration or None}
    alert_item = request_or_exit(address, "POST", f"/api/v1/alerts/{quote_segment(alert)}/ack", body)
    until = f" until {alert_item['acknowledged_until']}" if alert_item["acknowledged_until"] else ""
    typer.echo(escape_unprintable(f"acknowledged{until}: {alert_item['summary']}"))


@app.command(epilog="Example: headroom alerts unack 0f3c9d7a1b2e4f56")
def unack(alert: AlertIdArgument, address: Address = DEFAULT_ADDRESS) -> None:
    """Undo the acknowledgement of an alert.

    Notifications are repeated again. If it replaced an earlier acknowledgement that has not ended, the
    earlier one is in force again.
    """
    from monitor.api.client import quote_segment
    from monitor.cli.requests import request_or_exit

    alert_item = request_or_exit(address, "DELETE", f"/api/v1/alerts/{quote_segment(alert)}/ack")
    if author := alert_item["acknowledged_by"]:
        state = f"acknowledged by {author}, as before ({alert_item['acknowledged_comment']})"
    else:
        state = "no longer acknowledged"
    typer.echo(escape_unprintable(f"{state}: {alert_item['summary']}"))


@app.command(epilog='Example: headroom alerts silence \'service="s3"\' --duration 2h --comment "load test"')
def silence(
    matchers: Annotated[list[str], typer.Argument(help='Matchers as in Alertmanager: service="s3".')],
    duration: Annotated[str, typer.Option(help="The duration: 30m, 2h, 1d.")],
    comment: Comment,
    author: Author = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Silence the alerts that match all matchers, for a duration."""
    from monitor.cli.requests import request_or_exit
    from monitor.lib.current_user import current_user

    body = {
        "matchers": matchers,
        "duration": duration,
        "author": author or current_user(),
        "comment": comment,
    }
    stored = request_or_exit(address, "POST", "/api/v1/silences", body)
    typer.echo(f"{stored['id']} until {stored['ends']}")
    if stored["unmatched_reason"]:
        typer.echo(escape_unprintable(f"It matches nothing. {stored['unmatched_reason']}"), err=True)


@app.command(epilog="Example: headroom alerts end-silence 5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6")
def end_silence(silence: SilenceIdArgument, address: Address = DEFAULT_ADDRESS) -> None:
    """End a silence now."""
    from monitor.api.client import quote_segment
    from monitor.cli.requests import request_or_exit

    ended = request_or_exit(address, "DELETE", f"/api/v1/silences/{quote_segment(silence)}")
    typer.echo(escape_unprintable(f"{', '.join(ended['matchers'])} is no longer silenced"))


@app.command(epilog="Example: headroom alerts replay --receiver on-call")
def replay(
    receiver: Annotated[str, typer.Option(help="The name of the receiver; default: all receivers.")] = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Send again the notifications that were not delivered."""
    from monitor.api.client import quote_segment
    from monitor.cli.requests import request_or_exit

    query = f"?receiver={quote_segment(receiver)}" if receiver else ""
    response = request_or_exit(address, "POST", f"/api/v1/deliveries/replay{query}")
    typer.echo(f"notifications sent again: {response['replayed']}")
