"""How the commands that look once do so, and what they exit with."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import Progress

from monitor.check import Look, check, chosen, narrowed, selectors
from monitor.config import Config
from monitor.report import Report
from rules.band import Zone

CANNOT_LOOK = 2  # exit code: wrong configuration, nothing could be looked at, or nowhere to write


def looked(settings: Config, only: Mapping[str, Sequence[str] | None]) -> Look:
    """One look at what is asked for. Raises ConfigError, before AWS is asked."""
    asked = selectors(only)
    wanted, settings = chosen(settings, asked), narrowed(settings, asked)
    with progress() as tell:
        return asyncio.run(check(settings, wanted, tell))


@contextmanager
def progress() -> Iterator[Any]:
    """A progress bar on a terminal's standard error; nothing when it is piped."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Looking", total=None)
        yield lambda done, steps: bar.update(task, completed=done, total=steps)


def outcome(report: Report, fail_on: str) -> int:
    """The exit code of a look."""
    if not any(row.zone > Zone.STALE for row in report.rows) and (report.failures or not report.rows):
        return CANNOT_LOOK
    worst = max((row.zone for row in report.rows), default=Zone.STALE)
    return int(fail_on != "none" and worst >= Zone[fail_on.upper()])
