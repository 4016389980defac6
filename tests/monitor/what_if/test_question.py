"""Valid questions, and the messages about invalid questions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import Question, QuestionError, parse_factor, parse_question
from tests.registries import REGISTRY

REGIONS = ("eu-west-1", "us-east-1", "global")


def question_of(**parameters: Any) -> Question:
    """Return the question of some parameters."""
    return parse_question(WhatIfQuery(**parameters), REGISTRY.signals, REGIONS)


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("3", 3),
        ("3x", 3),
        ("x3", 3),
        ("3 X", 3),
        (" 1.5x ", 1.5),
        ("\u00d72", 2),
        ("0.5", 0.5),
        ("1000", 1000),
    ],
)
def test_a_factor_is_written_with_or_without_an_x(text: str, factor: float) -> None:
    assert parse_factor(text) == factor


@pytest.mark.parametrize(
    "text", ["0", "0x", "-1", "1e9", "1000000000", "NaN", "inf", "x", "", "3y", "3 4", "1,5", "\u0663"]
)
def test_an_invalid_factor_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match=r"traffic: expected a factor from 0\.01 to 1,000, such as 3x"):
        parse_factor(text)


@given(st.text(max_size=20))
def test_any_text_is_a_factor_or_refused_in_a_sentence(text: str) -> None:
    try:
        assert 0.01 <= parse_factor(text) <= 1000
    except QuestionError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"region_fails": "eu-west-9", "to": "us-east-1"},
            "region_fails: expected a region with series (eu-west-1, us-east-1), found 'eu-west-9'; "
            "did you mean eu-west-1?",
        ),
        (
            {"region_fails": "eu-west-1", "to": "global"},  # the global services are in no region
            "to: expected a region with series (eu-west-1, us-east-1), found 'global'",
        ),
        (
            {"region_fails": "eu-west-1", "to": "eu-west-1"},
            "to: expected another region than the failing one, found eu-west-1",
        ),
        ({"region_fails": "eu-west-1"}, "to: expected the region that receives the traffic"),
        ({"to": "eu-west-1"}, "region_fails: expected the region that fails"),
        (
            {"set_limit": "kinesis.stream_write_byte=4"},
            "set_limit: expected a signal, service.name, found 'kinesis.stream_write_byte'; "
            "did you mean kinesis.stream_write_bytes?",
        ),
        ({"set_limit": "kinesis.shards_per_region"}, "set_limit: expected SIGNAL=N, found"),
        ({"set_limit": "kinesis.shards_per_region=0"}, "set_limit: expected a limit above 0, found '0'"),
        ({"set_limit": "kinesis.shards_per_region=-5"}, "set_limit: expected an amount such as 2000 or 2k"),
        ({"set_limit": "kinesis.shards_per_region=nan"}, "set_limit: expected an amount such as 2000 or 2k"),
        ({"set_limit": "kinesis.stream_write_bytes=4k"}, "set_limit: expected an amount such as 40TiB"),
        ({"traffic": "2", "resource": "a"}, "resource: expected set_limit beside it"),
        ({"traffic": "2", "match": ["{"]}, "match: column 2: expected a comma or }, found the end"),
    ],
)
def test_an_invalid_question_raises_an_error_of_one_sentence(
    parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(QuestionError) as raised:
        question_of(**parameters)
    assert str(raised.value).startswith(sentence)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"traffic": "3x"}, "3x the traffic"),
        ({}, "2x the traffic"),
        (
            {"traffic": "3", "match": ['service="sqs", region="a"']},
            '3x the traffic of service="sqs", region="a"',
        ),
        (
            {"region_fails": "eu-west-1", "to": "us-east-1"},
            "eu-west-1 fails, and us-east-1 receives its traffic",
        ),
        (
            {"traffic": "2", "set_limit": "kinesis.stream_write_bytes=8MiB", "resource": "orders"},
            "2x the traffic; the limit of kinesis.stream_write_bytes of orders is 8 MiB/s",
        ),
    ],
)
def test_a_question_is_repeated_in_words(parameters: dict[str, Any], words: str) -> None:
    assert question_of(**parameters).words == words


def test_the_url_of_a_question_has_only_the_parameters_that_are_set() -> None:
    query = WhatIfQuery(traffic="3x", match=["", 'a="b c"'], to="", counts=True)
    assert query.url("/what-if") == "/what-if?traffic=3x&match=a%3D%22b+c%22&counts=true"
    assert query.url("/what-if", traffic="", match=[], counts=False) == "/what-if"
