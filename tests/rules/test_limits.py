"""The limit in force of several sources."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.limits import QUOTA_SOURCES, Limit, LimitSource, effective_limit

NO_NUMBER = [None, 0.0, -0.0, -1.0, math.nan, math.inf, -math.inf]

usable = st.floats(min_value=1e-6, max_value=1e15)
values = st.one_of(usable, st.sampled_from(NO_NUMBER))
candidates = st.dictionaries(st.sampled_from(LimitSource), values)


@given(candidates)
def test_the_first_source_with_a_usable_number_is_in_force_unless_aws_grants_nothing(
    found: Mapping[LimitSource, float | None],
) -> None:
    expected = None
    for source in reversed(LimitSource):  # the last one wins, so go from the weakest to the strongest
        value = found.get(source)
        if value is not None and value > 0 and math.isfinite(value):
            expected = Limit(value, source, read_at=7.0)
        elif value is not None and not math.isnan(value) and source in QUOTA_SOURCES:
            expected = None
    assert effective_limit(found, read_at=7.0) == expected


@given(candidates)
def test_the_order_in_which_sources_answered_does_not_matter(
    found: Mapping[LimitSource, float | None],
) -> None:
    backwards = dict(reversed(list(found.items())))
    assert effective_limit(found, 0) == effective_limit(backwards, 0)


@pytest.mark.parametrize("value", NO_NUMBER)
def test_no_number_is_no_limit(value: float | None) -> None:
    assert effective_limit(dict.fromkeys(LimitSource, value), 0) is None


def test_a_whole_number_is_reported_as_it_is_read_back_from_the_journal() -> None:
    assert str(limit.value if (limit := effective_limit({LimitSource.API: 1000}, 0)) else None) == "1000.0"


def test_the_precedence_is_the_documented_one() -> None:
    order = ["override", "metric", "api", "quota_applied", "quota_default", "documented"]
    assert [str(source) for source in LimitSource] == order
