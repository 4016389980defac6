"""Runs the scan of `headroom check` and `headroom report`, and derives the exit code from it."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

from collectors.registry import Registry
from monitor.cli.exit_codes import FAILED, INCOMPLETE, SERIES_IN_ZONE
from monitor.cli.interruptible import run_interruptible
from monitor.config.config import Config
from monitor.report.report import Report
from monitor.report.scan import (
    DEFAULT_DEPTH,
    ScanDepth,
    ScanReport,
    limit_to_requested_services,
    scan_once,
)
from monitor.schema.selectors import parse_selectors
from rules.band import Zone


def run_scan(
    config: Config,
    registry: Registry,
    patterns: Mapping[str, Sequence[str] | None],
    depth: ScanDepth = DEFAULT_DEPTH,
) -> ScanReport:
    """Read once the series that the patterns select.

    Raises ConfigError before any call to AWS.
    """
    selectors = parse_selectors(patterns, registry)
    config = limit_to_requested_services(config, registry, selectors)
    with progress_bar() as report_progress:
        scan = scan_once(config, registry, selectors, report_progress, depth)
        return run_interruptible(scan)


@contextmanager
def progress_bar(title: str = "Reading") -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error if that is a terminal; yields the function that advances it."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, steps: bar.update(task, completed=done, total=steps)


@contextmanager
def without_logs_of_reads() -> Iterator[None]:
    """Log no warnings of failed reads: the output lists these reads, and each is told once."""
    logger = logging.getLogger("monitor.polling")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def exit_code(report: Report, fail_on: str, allow_blind: bool = False) -> int:
    """Return the exit code of a scan.

    FAILED: no series was found, or reads failed and no series could be judged. Otherwise, a series in the
    zone `fail_on` or a worse one takes precedence over failed reads.
    """
    if not any(row.zone > Zone.STALE for row in report.rows) and (report.failures or not report.rows):
        return FAILED
    worst = max((row.zone for row in report.rows), default=Zone.STALE)
    if fail_on != "none" and worst >= Zone[fail_on.upper()]:
        return SERIES_IN_ZONE
    return INCOMPLETE if report.requested_failures and not allow_blind else 0
