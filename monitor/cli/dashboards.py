"""The commands `headroom dashboards`, which write Prometheus rules, Grafana dashboards and documents."""

from collections.abc import Mapping
from importlib.util import find_spec
from os import environ
from os.path import lexists
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.exit_codes import FAILED
from monitor.cli.options import ConfigFile
from monitor.config.config_paths import DEFAULT_FILE, given_file
from monitor.dashboards.addresses import DEFAULT_RUNBOOKS

app = typer.Typer(
    help="Write alerting rules, dashboards, runbooks, list of signals.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command(epilog="Example: headroom dashboards prometheus --out /etc/prometheus/rules")
def prometheus(
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("dashboards/prometheus"),
    runbooks: Annotated[
        str | None,
        typer.Option(
            help="Address of the folder of runbooks that the alerts link to; by default the runbooks of "
            f"the Headroom at `links.headroom` of the configuration, else {DEFAULT_RUNBOOKS}."
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Write recording and alerting rules for Prometheus.

    Writes one file for each service, one for forecasts and one for Headroom itself.
    """
    from monitor.cli.known_services import load_services_or_exit
    from monitor.dashboards import prometheus as prometheus_rules

    address = runbooks or runbooks_of(config)
    write_files(out, prometheus_rules.files(load_services_or_exit(config), address))


@app.command(epilog="Example: headroom dashboards grafana --out /var/lib/grafana/dashboards")
def grafana(
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("dashboards/grafana"),
    config: ConfigFile = None,
) -> None:
    """Write Grafana dashboards.

    Writes an overview, and a dashboard of each family of services, of a single series and of Headroom itself.
    """
    if find_spec("grafana_foundation_sdk") is None:
        typer.echo("This needs the extra `dashboards`: pip install 'aws-headroom[dashboards]'", err=True)
        raise typer.Exit(FAILED)
    from monitor.cli.known_services import load_services_or_exit
    from monitor.dashboards.grafana import boards

    write_files(out, boards.files(load_services_or_exit(config)))


@app.command(epilog="Example: headroom dashboards docs --out site")
def docs(
    out: Annotated[Path, typer.Option(help="Output directory.")] = Path("docs"),
    config: ConfigFile = None,
) -> None:
    """Write the list of all signals, and the runbooks.

    The list is catalogue.md; runbooks/ has the meaning and remedy of each alert.
    """
    from monitor.cli.registry_file import load_registry_or_exit
    from monitor.dashboards import runbooks as runbook_pages
    from monitor.dashboards.catalogue_page import catalogue_page
    from rules.not_declared import read_not_declared

    registry = load_registry_or_exit(config)
    page = catalogue_page(registry, read_not_declared())
    write_files(out, {"catalogue.md": page})
    write_files(out / "runbooks", runbook_pages.files(registry))


def runbooks_of(config: Path | None) -> str:
    """Return the address of the folder of runbooks; print the configuration's problems and exit if any."""
    if not lexists(given_file(config, environ) or DEFAULT_FILE):
        return DEFAULT_RUNBOOKS
    from monitor.cli.config_file import load_config_or_exit
    from monitor.cli.registry_file import load_registry_or_exit

    links = load_config_or_exit(load_registry_or_exit(config), config).links
    return f"{links.headroom.rstrip('/')}/runbooks" if links.headroom else DEFAULT_RUNBOOKS


def write_files(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files and print their paths; print the error and exit if a file cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, "utf-8")
            typer.echo(directory / name)
    except OSError as error:
        typer.echo(f"cannot write {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(FAILED) from None
