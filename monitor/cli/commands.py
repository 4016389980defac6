"""The commands of `headroom`. The module of a command is imported when the command is used."""

from typing import Annotated

import typer

from monitor.cli.lazy_group import LazyCommand, LazyGroup

MODULES = {
    "init": LazyCommand(
        "monitor.cli.init",
        "Ask three questions, check what the credentials may read, and write a configuration file.",
    ),
    "check": LazyCommand(
        "monitor.cli.check",
        "Read all configured accounts once and print every series, the most urgent first.",
    ),
    "report": LazyCommand(
        "monitor.cli.report", "Read all configured accounts once and write a report to share."
    ),
    "lookback": LazyCommand(
        "monitor.cli.lookback",
        "Read past days, and list the series that were throttled or near a limit, and their alerts.",
    ),
    "catalogue": LazyCommand(
        "monitor.cli.catalogue", "List every signal with its default limit, remedy and documentation."
    ),
    "coverage": LazyCommand(
        "monitor.cli.coverage",
        "List every quota of the services in use: whether a running Headroom watches it, and if not, why.",
    ),
    "recommend": LazyCommand(
        "monitor.cli.recommend",
        "List the right sizes of purchases: shards, capacity units, volumes, maxima of groups.",
    ),
    "paths": LazyCommand(
        "monitor.cli.paths",
        "Show the flow of request paths and their weakest limits: `headroom paths [NAME]`.",
    ),
    "what-if": LazyCommand(
        "monitor.cli.what_if",
        "Show which limits are reached first when traffic grows, a region fails, or a limit changes.",
    ),
    "quota": LazyCommand("monitor.cli.quota", "Request the increase of a quota."),
    "cost": LazyCommand(
        "monitor.cli.cost",
        "Estimate the monthly cost of CloudWatch by service, and of the signals that are not read.",
    ),
    "iam-policy": LazyCommand(
        "monitor.cli.iam_policy", "Print the least-privilege IAM policy for the configured services."
    ),
    "serve": LazyCommand(
        "monitor.cli.serve", "Run the monitor until SIGINT or SIGTERM. SIGHUP reloads the configuration."
    ),
    "demo": LazyCommand(
        "monitor.cli.demo", "Run Headroom against a simulated AWS on loopback. Needs no AWS account."
    ),
    "top": LazyCommand(
        "monitor.cli.top",
        "Show a running Headroom in the terminal, live: sort, filter, open a series, acknowledge, silence.",
    ),
    "healthcheck": LazyCommand(
        "monitor.cli.healthcheck", "Probe a running Headroom; exits with 0 when it is healthy, else with 1."
    ),
    "config": LazyCommand("monitor.cli.config", "Validate or explain the configuration file."),
    "dashboards": LazyCommand(
        "monitor.cli.dashboards",
        "Generate alerting rules, dashboards, runbooks and the list of signals from the catalogue.",
    ),
    "alerts": LazyCommand(
        "monitor.cli.alerts", "List, acknowledge and silence alerts of a running Headroom."
    ),
    "stream": LazyCommand(
        "monitor.cli.stream", "Set up CloudWatch metric streams, and list undecodable pieces of deliveries."
    ),
}


class Commands(LazyGroup):
    """The commands of MODULES."""

    modules = MODULES


app = typer.Typer(
    cls=Commands,
    help="Find the AWS resources that approach a limit, before requests are throttled.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Print the version with --version."""
    if version:
        from monitor.lib.version import VERSION

        typer.echo(f"headroom {VERSION}")
        raise typer.Exit
