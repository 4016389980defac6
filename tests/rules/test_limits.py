"""The limit in force where several sources have a value."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.limits import QUOTA_SOURCES, Limit, LimitSource, effective_limit

UNUSABLE = [None, 0.0, -0.0, -1.0, math.nan, math.inf, -math.inf]

usable = st.floats(min_value=1e-6, max_value=1e15)
values = st.one_of(usable, st.sampled_from(UNUSABLE))
candidates = st.dictionaries(st.sampled_from(LimitSource), values)


@given(candidates)
def test_the_first_usable_value_is_the_limit_unless_an_unusable_quota_precedes_it(
    by_source: Mapping[LimitSource, float | None],
) -> None:
    expected = None
    for source in reversed(LimitSource):  # the last assignment counts, so begin with the lowest precedence
        value = by_source.get(source)
        if value is not None and value > 0 and math.isfinite(value):
            expected = Limit(value, source, read_at=7.0)
        elif value is not None and not math.isnan(value) and source in QUOTA_SOURCES:
            expected = None
    assert effective_limit(by_source, read_at=7.0) == expected


@given(candidates)
def test_the_order_of_the_candidates_does_not_matter(
    by_source: Mapping[LimitSource, float | None],
) -> None:
    backwards = dict(reversed(list(by_source.items())))
    assert effective_limit(by_source, 0) == effective_limit(backwards, 0)


@pytest.mark.parametrize("value", UNUSABLE)
def test_an_unusable_value_is_no_limit(value: float | None) -> None:
    assert effective_limit(dict.fromkeys(LimitSource, value), 0) is None


def test_an_integer_becomes_a_float_because_the_journal_returns_floats() -> None:
    limit = effective_limit({LimitSource.API: 1000}, 0)
    assert limit and str(limit.value) == "1000.0"


def test_the_precedence_of_sources_is_as_documented() -> None:
    order = ["override", "metric", "api", "quota_applied", "quota_default", "documented"]
    assert [str(source) for source in LimitSource] == order
