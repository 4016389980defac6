"""Invokes the command line in this process."""

from pathlib import Path

from typer.testing import CliRunner, Result

from monitor.cli.commands import app


def headroom(*arguments: str) -> Result:
    """Run `headroom` with arguments."""
    return CliRunner().invoke(app, arguments)


def written(folder: Path, text: str) -> str:
    """Write a configuration, and return its path."""
    (folder / "own.yaml").write_text(text)
    return str(folder / "own.yaml")
