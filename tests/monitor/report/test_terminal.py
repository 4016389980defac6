"""Printed tables: a terminal of any width shows all text. Without a terminal, each row is a line."""

import re
from io import StringIO

import pytest
from rich.text import Text

from monitor.report.terminal import console_of, print_table

COLUMNS = ("resource", "advice", "peak of usage")
ROWS = (
    ("kinesis telemetry-of-all-devices", "raise from 2 shards to 4", "98.5 %"),
    ("dynamodb orders", "lower from 1,500 read units to 113", "4.1 %"),
)
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class TerminalOutput(StringIO):
    def isatty(self) -> bool:
        return True


def print_and_get_lines(out: StringIO) -> list[str]:
    """Print the table of ROWS; return its lines, without colours and without spaces at their ends."""
    print_table(console_of(out), COLUMNS, [[*map(Text, row)] for row in ROWS], COLUMNS[2:])
    return [STYLE.sub("", line).rstrip() for line in out.getvalue().splitlines()]


def visible_characters(texts: list[str]) -> list[str]:
    """Return all characters but spaces, sorted."""
    return sorted("".join("".join(texts).split()))


@pytest.mark.parametrize("width", [20, 30, 40, 50, 60, 80, 200])
def test_a_terminal_of_any_width_shows_all_text(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = print_and_get_lines(TerminalOutput())
    assert max(map(len, lines)) <= width
    heading_count = len(ROWS) if width < 40 else 1  # how often the names of the columns are shown
    assert visible_characters(lines) == visible_characters(
        [*COLUMNS * heading_count, *(cell for row in ROWS for cell in row)]
    )


def test_a_wide_terminal_shows_a_line_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert print_and_get_lines(TerminalOutput()) == [
        "resource                          advice                              peak of usage",
        "kinesis telemetry-of-all-devices  raise from 2 shards to 4                   98.5 %",
        "dynamodb orders                   lower from 1,500 read units to 113          4.1 %",
    ]


def test_a_narrower_terminal_wraps_cells_between_words_and_never_within_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "52")
    assert print_and_get_lines(TerminalOutput()) == [
        "                                           peak of",
        "resource                    advice           usage",
        "kinesis                     raise from 2    98.5 %",
        "telemetry-of-all-devices    shards to 4",
        "dynamodb orders             lower from       4.1 %",
        "                            1,500 read",
        "                            units to 113",
    ]


def test_a_terminal_too_narrow_for_columns_shows_one_entry_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "39")
    assert print_and_get_lines(TerminalOutput()) == [
        "resource       kinesis",
        "               telemetry-of-all-devices",
        "advice         raise from 2 shards to 4",
        "peak of usage  98.5 %",
        "",
        "resource       dynamodb orders",
        "advice         lower from 1,500 read",
        "               units to 113",
        "peak of usage  4.1 %",
        "",
    ]


def test_without_a_terminal_each_row_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert len(print_and_get_lines(StringIO())) == 1 + len(ROWS)
