"""The commands of `headroom`. The module of a command is imported when the command is used."""

from typing import Annotated

import typer

from monitor.cli.lazy_group import LazyCommand, LazyGroup

MODULES = {
    "init": LazyCommand(
        "monitor.cli.init",
        "Ask three questions, and write a configuration file.",
    ),
    "check": LazyCommand(
        "monitor.cli.check",
        "Read all accounts once; list the series, most urgent first.",
    ),
    "report": LazyCommand(
        "monitor.cli.report", "Read all configured accounts once and write a report to share."
    ),
    "lookback": LazyCommand(
        "monitor.cli.lookback",
        "List what was throttled or near a limit in past days.",
    ),
    "catalogue": LazyCommand(
        "monitor.cli.catalogue", "List every signal with its default limit and its remedy."
    ),
    "coverage": LazyCommand(
        "monitor.cli.coverage",
        "List the quotas of the services in use: watched, or why not.",
    ),
    "recommend": LazyCommand(
        "monitor.cli.recommend",
        "List the right sizes of purchases: shards, volumes, groups ...",
    ),
    "paths": LazyCommand(
        "monitor.cli.paths",
        "Show the flow of request paths and their weakest limits.",
    ),
    "what-if": LazyCommand(
        "monitor.cli.what_if",
        "Show which limits are reached first when traffic grows.",
    ),
    "quota": LazyCommand("monitor.cli.quota", "Request the increase of a quota."),
    "cost": LazyCommand(
        "monitor.cli.cost",
        "Estimate the monthly cost of CloudWatch by service.",
    ),
    "iam-policy": LazyCommand(
        "monitor.cli.iam_policy", "Print the least-privilege IAM policy of the services."
    ),
    "serve": LazyCommand("monitor.cli.serve", "Run the monitor until SIGINT or SIGTERM."),
    "demo": LazyCommand("monitor.cli.demo", "Run Headroom against a simulated AWS; needs no account."),
    "top": LazyCommand(
        "monitor.cli.top",
        "Show a running Headroom in the terminal, live.",
    ),
    "healthcheck": LazyCommand(
        "monitor.cli.healthcheck", "Probe a running Headroom; exit with 0 if healthy, else with 1."
    ),
    "config": LazyCommand("monitor.cli.config", "Validate or explain the configuration file."),
    "dashboards": LazyCommand(
        "monitor.cli.dashboards",
        "Write alerting rules, dashboards, runbooks, list of signals.",
    ),
    "alerts": LazyCommand(
        "monitor.cli.alerts", "List, acknowledge and silence alerts of a running Headroom."
    ),
    "stream": LazyCommand("monitor.cli.stream", "Set up metric streams; list pieces that were not decoded."),
}


class Commands(LazyGroup):
    """The commands of MODULES."""

    lazy_commands = MODULES


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
