"""Fitting columns to the width, and shortening names."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from monitor.top.columns import COLUMN_BY_SORT, COLUMNS
from monitor.top.filters import SORTS
from monitor.top.table import GAP, Column, ellipsize_middle, fit_columns


def column(name: str, rank: int, width: int, most: int = 0) -> Column[Any]:
    """Return a column without texts."""
    return Column(name=name, render=lambda item, width: Text(), rank=rank, width=width, max_width=most)


THREE = [column("last", 2, 5), column("first", 0, 4, most=8), column("second", 1, 3, most=6)]
FITTING: dict[int, dict[str, int]] = {
    4: {},
    5: {"first": 4},
    8: {"first": 7},
    9: {"first": 4, "second": 3},
    13: {"first": 8, "second": 3},
    15: {"last": 5, "first": 4, "second": 3},
    99: {"last": 5, "first": 8, "second": 6},
}


@pytest.mark.parametrize(("width", "columns"), FITTING.items())
def test_columns_get_room_in_the_order_of_their_rank(width: int, columns: dict[str, int]) -> None:
    assert {one.name: one.width for one in fit_columns(THREE, width)} == columns


@given(st.integers(min_value=0, max_value=400))
def test_the_columns_of_the_list_never_take_more_than_there_is(width: int) -> None:
    fitting = fit_columns(COLUMNS, width)
    assert sum(one.width + GAP for one in fitting) <= width
    names = [one.name for one in fitting]
    assert names == [one.name for one in COLUMNS if one.name in names]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("orders", 6, "orders"),
        ("payments/shardId-000000000002", 18, "payments…000000002"),
        ("abcdef", 5, "ab…ef"),
        ("abcdef", 1, "…"),
    ],
)
def test_the_middle_of_a_long_name_is_left_out(text: str, width: int, shown: str) -> None:
    assert ellipsize_middle(text, width) == shown


@given(st.text(st.characters(exclude_categories=["C", "M"])), st.integers(min_value=1, max_value=50))
def test_no_name_is_wider_than_its_column(text: str, width: int) -> None:
    assert cell_len(ellipsize_middle(text, width)) <= width


def test_sort_keys_are_shown_by_columns_that_exist() -> None:
    assert set(COLUMN_BY_SORT) <= set(SORTS)
    assert set(COLUMN_BY_SORT.values()) <= {one.name for one in COLUMNS}
