"""Distinct numbers of an array."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.arrays import distinct_values


@given(st.lists(st.integers(-5, 2**31 - 1)))
def test_each_number_once_and_ascending(numbers: list[int]) -> None:
    found = distinct_values(np.array(numbers, np.int32))
    assert found.tolist() == sorted({*numbers})
    assert found.dtype == np.int32
