"""The table that `headroom check` prints."""

import io
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectors.base import Unobservable
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.rows import Row
from monitor.report.check_formats import FORMATS
from monitor.report.check_tables import COLUMNS, COMPACT_COLUMNS, write_table
from monitor.report.failed_reads import FailedReads
from monitor.report.report import Report
from rules.band import Zone
from rules.limits import LimitSource
from rules.units import BYTES_PER_SECOND, Unit, unit_named
from tests.monitor.fleet.fleets import series_history
from tests.registries import STREAM_WRITE_BYTES

STRANGE_NAMES = [
    'say "hi"',
    "it's",
    "two\nlines",
    "tab\tand\rreturn",
    "\x1b[31mred\x1b[0m",
    "\x07bell",
    "[red]markup[/red]",
    "[/]",
    "ends with \\",
    ":warning:",
    "a|b",
    "`code`",
    "*bold* _emphasis_",
    "<img src=x>",
    "=cmd()",
    "+1",
    "-1",
    "@sum",
    "Bestellungen-größe-注文",
    "\u202egnp.exe",
    "comma, separated",
    "x" * 400,
    "many words " * 40,
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Latin1Terminal(io.TextIOWrapper):
    """A terminal whose encoding lacks the characters of sparklines."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="latin-1")

    def isatty(self) -> bool:
        return True


def row(resource: str = "orders", unit: Unit = BYTES_PER_SECOND, **fields: Any) -> Row:
    """Return the row of a stream above its band. fields: replace fields of the row."""
    defaults: dict[str, Any] = {
        "key": Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", resource),
        "signal": STREAM_WRITE_BYTES.model_copy(update={"unit": unit}),
        "zone": Zone.ABOVE,
        "usage": 3.0 * 2**20,
        "upper_bound": None,
        "limit": 4.0 * 2**20,
        "source": LimitSource.API,
        "utilization": 0.75,
        "throttled": 0.0,
        "sample_time": 1_740_000_000,
        "unobservable": None,
    }
    return Row(**{**defaults, **fields})


def unobservable_row(
    resource: str, reason: str = "request metrics are not enabled", enable: str | None = None
) -> Row:
    """Return the row of an unobservable stream."""
    without_numbers: dict[str, Any] = dict.fromkeys(
        ("usage", "utilization", "throttled", "sample_time", "limit", "source")
    )
    return row(resource, zone=Zone.UNOBSERVABLE, unobservable=Unobservable(reason, enable), **without_numbers)


BOUNDED = row("b.fifo", zone=Zone.UNOBSERVABLE, usage=12_345.0, upper_bound=123_450.0,
              unit=unit_named("calls/s"),
              utilization=None, bounded=True,
              unobservable=Unobservable("CloudWatch bounds the usage"))  # fmt: skip
STALE = row("quiet", zone=Zone.STALE, usage=None, utilization=None, throttled=None, sample_time=None)
EMPTY = Report([])


def unstyled(text: str) -> str:
    """Return a text without the sequences that set colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def output_of(format: str, report: Report, out: io.StringIO | None = None) -> str:
    """Return what a format prints of a report."""
    out = out or io.StringIO()
    FORMATS[format](report, out)
    return out.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "report",
    [
        EMPTY,
        Report(
            [*map(row, STRANGE_NAMES), *map(unobservable_row, STRANGE_NAMES)],
            FailedReads(STRANGE_NAMES, STRANGE_NAMES),
        ),
    ],
    ids=["no series", "strange names"],
)
def test_every_format_prints_an_empty_report_and_strange_names_without_an_error(
    format: str, report: Report
) -> None:
    assert output_of(format, report).endswith("\n")


# Table


def test_piped_output_has_one_whole_line_per_series_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = output_of("table", Report([row(name) for name in STRANGE_NAMES])).splitlines()
    assert lines[0].split() == list(COLUMNS)
    assert len(lines) == 1 + len(STRANGE_NAMES)
    for name, line in zip(STRANGE_NAMES, lines[1:], strict=True):
        assert line.startswith("above")
        assert shown_name(name) in line
        assert line.rstrip().endswith("123456789012/eu-west-1  2025-02-19 21:20")
        assert line.isprintable()


def shown_name(name: str) -> str:
    """Return a name as it is shown, with escaped control characters."""
    return re.sub(r"[\x00-\x1f\u202e]", lambda match: match[0].encode("unicode_escape").decode(), name)


def test_the_numbers_have_units_and_the_limit_its_source() -> None:
    line = output_of("table", Report([row()])).splitlines()[1]
    assert re.split(r"  +", line.strip()) == [
        "above",
        "75 %",
        "3 MiB/s",
        "4 MiB/s",
        "api",
        "kinesis.stream_write_bytes",
        "orders",
        "123456789012/eu-west-1",
        "2025-02-19 21:20",
    ]


def test_an_unknown_number_is_a_dash() -> None:
    line = output_of("table", Report([STALE])).splitlines()[1]
    assert re.split(r"  +", line.strip())[:5] == ["stale", "-", "-", "4 MiB/s", "api"]
    assert line.rstrip().endswith("never")


def test_throttled_demand_is_shown_beside_the_zone() -> None:
    assert "saturated (3.2/s throttled)" in output_of(
        "table", Report([row(zone=Zone.SATURATED, throttled=3.2)])
    )


def test_a_bounded_usage_is_shown_as_a_range() -> None:
    assert BOUNDED.usage_text == "12.3k to 123k calls/s"
    output = output_of("table", Report([BOUNDED]))
    assert "12.3k to 123k calls/s" in output
    assert "Unobservable series" not in output


def test_throttled_demand_is_shown_without_a_usage() -> None:
    throttled_row = replace(unobservable_row("orders"), zone=Zone.SATURATED, throttled=3.2)
    output = output_of("table", Report([throttled_row, unobservable_row("media")]))
    table, _, unobservable = output.partition("Unobservable series")
    assert re.search(r"saturated \(3.2/s throttled\) +- +- ", table)
    assert "of media" in unobservable and "orders" not in unobservable


def test_a_terminal_shows_coloured_zones_and_whole_names_however_narrow_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "90")
    output = output_of("table", Report([row("a-rather-long-name-of-a-stream")]), Terminal())
    assert "\x1b[33mabove" in output
    words = unstyled(output).split()
    assert "…" not in output
    assert {"a-rather-long-name-of-a-stream:", "75", "kinesis.stream_write_bytes"} <= set(words)


def test_on_a_terminal_a_command_is_not_broken_into_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    command = "aws s3api put-bucket-metrics-configuration --bucket media --id PREFIX --region eu-west-1"
    assert f"    {command}\n" in output_of(
        "table", Report([unobservable_row("media", enable=command)]), Terminal()
    )


# Sparklines of the last three hours


def half_used(_: Key) -> SeriesHistory:
    """Return three hours: 90 minutes without samples, then 90 minutes with half of the limit used."""
    usage = np.array([np.nan] * 90 + [0.5] * 90, np.float32)
    return series_history(usage)


SPARKLINE = " " * 9 + "▄" * 9
WITH_HISTORY = Report([row(), unobservable_row("media"), STALE], history_of=half_used)


@pytest.mark.parametrize("width", ["60", "100", "160", "300"])
def test_a_terminal_shows_the_sparkline_of_each_observable_series_however_narrow_it_is(
    width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    output = unstyled(output_of("table", WITH_HISTORY, Terminal()))
    assert output.count(SPARKLINE) == 2
    assert "10 minutes per character" in " ".join(output.split())
    lines = [line for line in output.splitlines() if SPARKLINE in line]
    on_one_line = int(width) >= 160
    assert ("three hours" in output.splitlines()[0]) == on_one_line
    assert all(line.startswith(("above", "stale")) for line in lines) == on_one_line


def test_a_terminal_only_wide_enough_for_the_other_columns_shows_no_sparklines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    width = max(map(len, output_of("table", Report(WITH_HISTORY.rows)).splitlines()[:3]))
    monkeypatch.setenv("COLUMNS", str(width))
    output = unstyled(output_of("table", WITH_HISTORY, Terminal()))
    assert output.splitlines()[0].split() == list(COLUMNS)
    assert SPARKLINE not in output and "per character" not in output


THROTTLED_ROW = row("orders-of-the-shop", zone=Zone.SATURATED, throttled=3.2)


def test_a_terminal_of_160_columns_shows_each_series_with_its_sparkline_on_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The table with all columns would be wider, even without sparklines."""
    report = Report([THROTTLED_ROW, row("payments-of-all-the-partners-there")], history_of=half_used)
    width = max(map(len, output_of("table", Report(report.rows)).splitlines()))
    monkeypatch.setenv("COLUMNS", "160")
    header, *lines = unstyled(output_of("table", report, Terminal())).splitlines()[:3]
    assert width > 160 and header.split() == [word for name in COMPACT_COLUMNS for word in name.split()]
    assert all(SPARKLINE in line for line in lines)
    assert re.split(r"  +", lines[0].strip())[0] == "saturated" and "3.2/s" in lines[0]
    assert "3 MiB/s of 4 MiB/s" in lines[0] and lines[0].rstrip().endswith(" eu-west-1")


def test_a_long_usage_wraps_in_a_terminal_of_160_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    row_with_long_usage = row(
        "storefront/prod/POST /checkout",
        usage=0.083,
        unit=unit_named("execution environments per 10 s"),
        limit=1e3,
    )
    key = Key("123456789012", "us-east-1", "lambda", "function_provisioned_concurrency", "etl:live")
    monkeypatch.setenv("COLUMNS", "160")
    output = unstyled(
        output_of("table", Report([row_with_long_usage, row(key=key)], history_of=half_used), Terminal())
    )
    _, first, second, *_ = output.splitlines()
    assert first.count(SPARKLINE) == 1 and "storefront/prod/POST /checkout" in first and "eu-west-1" in first
    assert second.strip().startswith("environments") and len(first.rstrip()) <= 160 and "…" not in output


@pytest.mark.parametrize("format", FORMATS)
def test_piped_output_has_no_sparklines(format: str) -> None:
    assert output_of(format, WITH_HISTORY) == output_of(
        format, Report(WITH_HISTORY.rows, WITH_HISTORY.failures)
    )


def test_a_terminal_that_cannot_encode_sparklines_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    out = Latin1Terminal()
    write_table(WITH_HISTORY, out)
    out.seek(0)
    assert out.read().isascii()


def test_each_reason_of_unobservable_series_is_listed_once_with_its_command() -> None:
    rows = [
        unobservable_row("media", enable="aws s3api"),
        unobservable_row("logs", enable="aws s3api"),
        unobservable_row("keys", "not published"),
    ]
    output = output_of("table", Report([row(), *rows]))
    assert output.partition("\n\n")[2] == (
        "Unobservable series\n"
        "- kinesis.stream_write_bytes of media, kinesis.stream_write_bytes of logs: "
        "request metrics are not enabled\n"
        "    aws s3api\n"
        "- kinesis.stream_write_bytes of keys: not published\n"
    )


def test_failed_reads_by_cause_come_last_in_one_line_each() -> None:
    output = output_of(
        "table",
        Report(
            [row()],
            FailedReads(["one", "two", "three"], ["ListStreams: no (AccessDenied)", "two\nlines [red]"]),
        ),
    )
    assert output.endswith("\nFailed reads of AWS\n- ListStreams: no (AccessDenied)\n- two\\nlines [red]\n")


def test_a_report_without_series_says_so() -> None:
    assert "No series found" in output_of("table", EMPTY)
    assert "No series found" not in output_of("table", Report([unobservable_row("media")]))
