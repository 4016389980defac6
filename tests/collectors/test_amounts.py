"""Arithmetic with amounts."""

import pytest

from collectors.amounts import choose, is_above, rate
from collectors.base import Metric

METRIC = Metric("AWS/Test", "Requests", "Sum")


@pytest.mark.parametrize("condition", [1.0, METRIC, rate(METRIC)])
def test_only_a_comparison_of_metrics_chooses_between_numbers(condition: object) -> None:
    with pytest.raises(TypeError):
        choose(condition, 2.0, 3.0)


def test_a_comparison_chooses_between_numbers() -> None:
    chosen = choose(is_above(METRIC, 5.0), 2.0, 3.0)
    (_, weight), *_ = chosen.terms
    assert (weight, chosen.offset) == (-1.0, 3.0)
