"""The commands that write what shows Headroom elsewhere: `headroom dashboards`."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from monitor.dashboards import prometheus as rules
from monitor.dashboards import runbook as runbooks

app = typer.Typer(
    help="Write alerting rules, dashboards and the runbook, made from the catalogue.", no_args_is_help=True
)

CANNOT_WRITE = 2


@app.command(epilog="Example: headroom dashboards prometheus --out /etc/prometheus/rules")
def prometheus(
    out: Annotated[Path, typer.Option(help="Directory for the files.")] = Path("dashboards/prometheus"),
    runbook: Annotated[
        str, typer.Option(help="Address of the runbook, that alerts link to.")
    ] = rules.RUNBOOK,
) -> None:
    """Write recording and alerting rules for Prometheus: a file a service, and one for Headroom itself."""
    write(out, rules.files(runbook))


@app.command(epilog="Example: headroom dashboards grafana --out /var/lib/grafana/dashboards")
def grafana(
    out: Annotated[Path, typer.Option(help="Directory for the files.")] = Path("dashboards/grafana"),
) -> None:
    """Write dashboards for Grafana: an overview, one a service, one series in detail, and Headroom itself."""
    if find_spec("grafana_foundation_sdk") is None:
        typer.echo("This needs the extra `dashboards`: pip install 'aws-headroom[dashboards]'", err=True)
        raise typer.Exit(CANNOT_WRITE)
    from monitor.dashboards.grafana import boards  # noqa: PLC0415 - needs the extra

    write(out, boards.files())


@app.command(epilog="Example: headroom dashboards runbook --out runbook.md")
def runbook(
    out: Annotated[Path, typer.Option(help="The file.")] = Path(rules.RUNBOOK),
) -> None:
    """Write the runbook: what each alert means and what to do, a heading a signal."""
    write(out.parent, {out.name: runbooks.page()})


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Write the files, and say which; one sentence and exit 2 when that is not possible."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, "utf-8")
            typer.echo(directory / name)
    except OSError as error:
        typer.echo(f"cannot write {error.filename}: {error.strerror}", err=True)
        raise typer.Exit(CANNOT_WRITE) from None
