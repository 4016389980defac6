"""The command `headroom alerts test-receiver`."""

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.exit_codes import FAILED, REJECTED
from monitor.cli.options import ConfigFile
from monitor.lib.text import escape_unprintable

if TYPE_CHECKING:
    from monitor.config.config import Config
    from monitor.notifiers.receiver import BaseReceiver

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: headroom alerts test-receiver on-call")
def test_receiver(
    name: Annotated[str, typer.Argument(help="The receiver's name in the configuration.")],
    config: ConfigFile = None,
) -> None:
    """Send a test alert and its resolution to a receiver.

    Exits with 1 unless the receiver accepts both, and with 2 if no receiver has the name.
    """
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.interruptible import run_interruptible
    from monitor.cli.registry_file import load_registry_or_exit

    settings = load_config_or_exit(load_registry_or_exit(config), config)
    if not run_interruptible(send_test_notifications(find_receiver(settings, name), settings.endpoint_url)):
        raise typer.Exit(REJECTED)


def find_receiver(config: "Config", name: str) -> "BaseReceiver":
    """Return the receiver with this name; print an error and exit if there is none."""
    for receiver in config.receivers:
        if receiver.name == name:
            return receiver
    configured = ", ".join(receiver.name for receiver in config.receivers) or "none"
    typer.echo(
        escape_unprintable(f"no receiver is called {name}; configured receivers: {configured}"), err=True
    )
    raise typer.Exit(FAILED)


async def send_test_notifications(receiver: "BaseReceiver", endpoint_url: str | None) -> bool:
    """Send a test alert and its resolution, print the results, and return whether both were accepted.

    endpoint_url: the URL to call instead of AWS, for receivers in AWS.
    """
    from monitor.notifiers.trial_notification import send_trial
    from monitor.outbound.client import OutboundClient
    from monitor.outbound.result import DeliveryOutcome

    outcomes = []
    async with OutboundClient(endpoint_url=endpoint_url) as client:
        async for kind, result in send_trial(receiver, client):
            is_worth_retry = result.outcome is DeliveryOutcome.RETRY
            outcome = "not delivered, a retry may succeed" if is_worth_retry else result.outcome.value
            typer.echo(f"{kind.value}: {outcome}: {result.sentence}")
            outcomes.append(result.outcome)
    return all(outcome is DeliveryOutcome.DELIVERED for outcome in outcomes)
