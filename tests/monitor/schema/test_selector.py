"""The series that a selector matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.schema.selector import Selector, SelectorLabels

ORDERS = SelectorLabels(
    "123456789012", "eu-west-1", "kinesis", "stream_write_bytes", "orders-eu", "production"
)


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ({"service": "kinesis"}, True),
        ({"service": "kin*"}, True),
        ({"signal": "stream_write_bytes"}, True),
        ({"signal": "kinesis.stream_write_bytes"}, True),
        ({"signal": "stream_write_records"}, False),
        ({"signal": "stream_*"}, True),
        ({"signal": "kinesis.shard_*"}, False),
        ({"resource": "orders-??"}, True),
        ({"resource": "orders"}, False),
        ({"resource": "Orders-*"}, False),
        ({"resource": "[a-o]rders-eu"}, True),
        ({"account": "123456789012"}, True),
        ({"account": 123456789012}, True),
        ({"account": "production"}, True),
        ({"account": "prod*"}, True),
        ({"account": "staging"}, False),
        ({"region": "eu-*"}, True),
        ({"region": "us-*"}, False),
        ({"region": "eu-*", "resource": "orders-*", "account": "prod*"}, True),
        ({"region": "eu-*", "resource": "orders-*", "account": "staging"}, False),
    ],
)
def test_a_series_must_match_every_pattern_of_a_selector(selector: dict[str, str], matches: bool) -> None:
    assert Selector.model_validate(selector).matches(ORDERS) is matches


@pytest.mark.parametrize(
    ("selector", "can_match"),
    [
        ({"resource": "no-such-stream"}, True),
        ({"signal": "kinesis.stream_*"}, True),
        ({"signal": "kinesis.shard_*"}, False),
    ],
)
def test_the_pattern_of_the_resource_does_not_decide_whether_a_signal_matches(
    selector: dict[str, str], can_match: bool
) -> None:
    assert Selector.model_validate(selector).matches_signal("kinesis", "stream_write_bytes") is can_match


@given(pattern=st.text(min_size=1), resource=st.text())
def test_any_text_is_a_valid_pattern(pattern: str, resource: str) -> None:
    selector = Selector.model_validate({"resource": pattern})
    assert selector.matches(ORDERS._replace(resource=resource)) in (True, False)
