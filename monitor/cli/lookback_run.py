"""Does the work of `headroom lookback`: plans the reading, confirms its price, reads and judges."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import typer
from pydantic import TypeAdapter, ValidationError

from collectors.registry import Registry
from monitor.cli.config_file import load_config_or_exit
from monitor.cli.exit_codes import FAILED, INCOMPLETE
from monitor.cli.interruptible import InterruptibleRunner
from monitor.cli.registry_file import exit_on_config_error, load_registry_or_exit
from monitor.cli.scan import progress_bar, without_logs_of_reads
from monitor.config.config import Config
from monitor.config.override_settings import PartialBand
from monitor.lib.durations import format_duration
from monitor.render.text import dollars
from monitor.report.lookback_formats import LOOKBACK_FORMATS
from monitor.report.lookback_scan import LookbackReport, OtherWay, judge_past
from monitor.report.lookback_summary import summarize_lookback
from monitor.report.past_scan import PastPlan, PastScan, PastUnreadableError
from monitor.report.scan import limit_to_requested_services
from monitor.schema.selectors import parse_selectors
from monitor.schema.types import Duration
from rules.plurals import count_of
from rules.signals import DEFAULT_BAND

MAX_UNCONFIRMED_DOLLARS = 1.0  # the user has to agree to a higher price
CONFIRMATIONS = ("y", "yes")
BAND_BOUNDS = (2, 3)  # how many bounds a band may have: low and high, or low, high and near
MAX_PENDING_FOR = 86400.0  # seconds
MINUTES_PER_DAY = 24 * 60


class LookbackOptions(NamedTuple):
    """The days to look back, other ways to judge, and whether the user agrees to any price (`--yes`)."""

    days: int
    other_ways: Sequence[OtherWay]
    confirmed: bool


def look_back_or_exit(
    file: Path | None,
    patterns: Mapping[str, Sequence[str] | None],
    options: LookbackOptions,
) -> LookbackReport:
    """Look back by a configuration file, see `run_lookback`; print any error and exit."""
    registry = load_registry_or_exit(file)
    config = load_config_or_exit(registry, file)
    with exit_on_config_error(), exit_when_unreadable(), without_logs_of_reads():
        return run_lookback(config, registry, patterns, options)


def run_lookback(
    config: Config,
    registry: Registry,
    patterns: Mapping[str, Sequence[str] | None],
    options: LookbackOptions,
) -> LookbackReport:
    """Look back at the series that the patterns select.

    Raises ConfigError, PastUnreadableError, and typer.Exit if no series can be read, or the user does not
    agree to the price.
    """
    selectors = parse_selectors(patterns, registry)
    config = limit_to_requested_services(config, registry, selectors)
    for other_way in options.other_ways:
        other_way.apply_to(config, registry)
    with InterruptibleRunner() as runner:
        scan = PastScan(config, registry, selectors)
        try:
            with progress_bar() as report_progress:
                plan = runner.run(scan.plan(options.days, report_progress))
            confirm_price(plan, scan, options.confirmed)
            with progress_bar("Reading the past") as report_progress:
                points_file = runner.run(scan.read(plan, report_progress))
        finally:
            runner.run(scan.close())
    with points_file, progress_bar("Judging") as report_progress:
        return judge_past(scan, plan, points_file, (config, registry, options.other_ways), report_progress)


def confirm_price(plan: PastPlan, scan: PastScan, confirmed: bool) -> None:
    """Print the price of reading. Exit if no series can be read, or the user does not agree when asked.

    confirmed: the user agrees to any price, and is not asked.
    """
    if not plan.slots.size:
        for failure in scan.failures.listed_sentences:
            typer.echo(failure, err=True)
        typer.echo("headroom found no series whose past can be read.", err=True)
        raise typer.Exit(FAILED)
    cost = f"{dollars(plan.dollars)} (list price of GetMetricData, {count_of(plan.metric_count, 'metric')})"
    effort = f"{format_duration(max(plan.seconds, 1))} or longer, and {plan.file_bytes / 1e6:,.0f} MB of disk"
    extent = f"{len(plan.minutes) / MINUTES_PER_DAY:.3g} days of {count_of(plan.slots.size, 'series')}"
    typer.echo(f"Reading {extent} costs {cost}, and takes {effort}.", err=True)
    if confirmed or plan.dollars <= MAX_UNCONFIRMED_DOLLARS:
        return
    if not sys.stdin.isatty():
        typer.echo(f"That is more than {dollars(MAX_UNCONFIRMED_DOLLARS)}: repeat it with --yes.", err=True)
        raise typer.Exit(FAILED)
    typer.echo("Read it? [y/N]: ", err=True, nl=False)  # typer's own prompt prints to standard output, too
    if sys.stdin.readline().strip().lower() not in CONFIRMATIONS:
        raise typer.Exit(FAILED)


def print_lookback(report: LookbackReport, format: str, allow_blind: bool) -> int:
    """Print a look-back in one of LOOKBACK_FORMATS; return its exit code."""
    LOOKBACK_FORMATS[format](summarize_lookback(report), sys.stdout)
    return exit_code(report, allow_blind)


def exit_code(report: LookbackReport, allow_blind: bool) -> int:
    """Return the exit code of a look-back, and print the reason if it is not 0."""
    failures = len(report.requested_failures)
    if report.lookback.without_samples_count == len(report.lookback.series) and failures:
        typer.echo("Nothing could be read; exit code 2.", err=True)
        return FAILED
    if not failures or allow_blind:
        return 0
    typer.echo(f"{count_of(failures, 'requested read')} of AWS failed; exit code 3.", err=True)
    return INCOMPLETE


def parse_ways(bands: Iterable[str], durations: Iterable[str]) -> list[OtherWay]:
    """Return a way to judge for each `--band` and each `--for`. Raises typer.BadParameter."""
    ways = [OtherWay(band=parse_band(band)) for band in bands]
    return ways + [OtherWay(pending_for=parse_duration(duration)) for duration in durations]


def parse_band(text: str) -> PartialBand:
    """Return the band that `--band` describes. Raises typer.BadParameter."""
    try:
        bounds = [float(part) for part in text.split("-")]
    except ValueError:
        bounds = []
    if len(bounds) not in BAND_BOUNDS:
        raise typer.BadParameter(f"expected a band such as 0.5-0.8 or 0.5-0.8-0.95, found {text}")
    try:
        band = PartialBand.model_validate(dict(zip(("low", "high", "near"), bounds, strict=False)))
        band.apply_to(DEFAULT_BAND)
    except ValidationError as error:
        raise typer.BadParameter(f"{text}: {error.errors()[0]['msg']}") from None
    except ValueError as error:
        raise typer.BadParameter(f"{text}: {error}") from None
    return band


def parse_duration(text: str) -> int:
    """Return the seconds that `--for` describes, rounded to whole minutes. Raises typer.BadParameter."""
    try:
        seconds: float = TypeAdapter(Duration).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(f"{text}: {error.errors()[0]['msg']}") from None
    if not 0 <= seconds <= MAX_PENDING_FOR:
        raise typer.BadParameter(f"expected at most a day, found {text}")
    return 60 * round(seconds / 60)


@contextmanager
def exit_when_unreadable() -> Iterator[None]:
    """Print the error and exit if the block raises PastUnreadableError."""
    try:
        yield
    except PastUnreadableError as error:
        typer.echo(f"headroom: {error}", err=True)
        raise typer.Exit(FAILED) from None
