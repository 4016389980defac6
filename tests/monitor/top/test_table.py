"""Fitting columns to the width, and shortening names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from monitor.top.columns import COLUMN_BY_SORT, COLUMNS, short_forecast
from monitor.top.filters import SORTS
from monitor.top.table import GAP, Column, ellipsize_middle, fit_columns


def column(name: str, rank: int, width: int, max_width: int = 0) -> Column[Any]:
    """Return a column whose cells are empty."""
    return Column(name=name, render=lambda item, width: Text(), rank=rank, width=width, max_width=max_width)


THREE_COLUMNS = [
    column("last", 2, 5),
    column("first", 0, 4, max_width=8),
    column("second", 1, 3, max_width=6),
]
# By the width of the screen: the columns that fit, with their widths.
FITTING_COLUMNS: dict[int, dict[str, int]] = {
    4: {},
    5: {"first": 4},
    8: {"first": 7},
    9: {"first": 4, "second": 3},
    13: {"first": 8, "second": 3},
    15: {"last": 5, "first": 4, "second": 3},
    99: {"last": 5, "first": 8, "second": 6},
}


@pytest.mark.parametrize(("width", "columns"), FITTING_COLUMNS.items())
def test_columns_get_their_width_in_the_order_of_their_rank(width: int, columns: dict[str, int]) -> None:
    assert {column.name: column.width for column in fit_columns(THREE_COLUMNS, width)} == columns


@given(st.integers(min_value=0, max_value=400), st.sampled_from(["", *(column.name for column in COLUMNS)]))
def test_the_column_that_the_list_is_sorted_by_is_left_out_last(width: int, name: str) -> None:
    names = [column.name for column in fit_columns(COLUMNS, width, name)]
    assert names == [column.name for column in COLUMNS if column.name in names]
    assert not name or name in names or width <= next(c.width for c in COLUMNS if c.name == name)


@pytest.mark.parametrize(
    ("summary", "shown"),
    [
        ("reaches the limit in 3-5 h, 80 %", "in 3-5 h, 80 %"),
        ("reaches the ceiling in 3-5 h, 80 %", "ceiling in 3-5 h, 80 %"),
        ("is at the limit", "at the limit"),
        ("8 % within 3d", "8 % within 3d"),
        ("1.2 of 2 days of history", "1.2 of 2 days of history"),
        ("", ""),
    ],
)
def test_the_forecast_of_the_list_is_short(summary: str, shown: str) -> None:
    assert short_forecast(summary) == shown


@given(st.integers(min_value=0, max_value=400))
def test_the_columns_of_the_list_are_never_wider_than_the_screen(width: int) -> None:
    fitting = fit_columns(COLUMNS, width)
    assert sum(column.width + GAP for column in fitting) <= width
    names = [column.name for column in fitting]
    assert names == [column.name for column in COLUMNS if column.name in names]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("orders", 6, "orders"),
        ("payments/shardId-000000000002", 18, "payments…000000002"),
        ("abcdef", 5, "ab…ef"),
        ("abcdef", 1, "…"),
    ],
)
def test_an_ellipsis_replaces_the_middle_of_a_long_name(text: str, width: int, shown: str) -> None:
    assert ellipsize_middle(text, width) == shown


@given(st.text(st.characters(exclude_categories=["C", "M"])), st.integers(min_value=1, max_value=50))
def test_a_shortened_name_is_never_wider_than_its_column(text: str, width: int) -> None:
    assert cell_len(ellipsize_middle(text, width)) <= width


def test_only_existing_sort_keys_are_mapped_and_only_to_existing_columns() -> None:
    assert set(COLUMN_BY_SORT) <= set(SORTS)
    assert set(COLUMN_BY_SORT.values()) <= {column.name for column in COLUMNS}
