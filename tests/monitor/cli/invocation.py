"""Runs commands in this process, and writes the configuration files that they read."""

from pathlib import Path

from typer.testing import CliRunner, Result

from monitor.cli.commands import app


def headroom(*arguments: str) -> Result:
    """Run `headroom` with these arguments in this process."""
    return CliRunner().invoke(app, arguments)


def write_config(folder: Path, text: str) -> str:
    """Write a configuration file, and return its path."""
    (folder / "own.yaml").write_text(text)
    return str(folder / "own.yaml")
