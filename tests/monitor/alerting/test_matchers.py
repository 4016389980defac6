"""Matchers, and the errors that invalid matchers raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerting.matchers import (
    MAX_LENGTH,
    MAX_MATCHERS,
    MAX_REGEX_LENGTH,
    Matcher,
    MatcherError,
    all_match,
    parse_matchers,
)

LABELS = {
    "service": "kinesis",
    "severity": "critical",
    "resource": 'a "b" {c}\n',
    "größe": "1",
    "tag team": "x",
}

# Matchers, and whether they match LABELS.
MATCHER_TEXTS = [
    ("", True),
    ("{}", True),
    ('severity="critical"', True),
    ("severity=critical", True),
    ("severity=warning", False),
    ("severity!=warning", True),
    ("severity!=critical", False),
    ('service=~"kinesis|sqs"', True),
    ("service=~kinesis|sqs", True),
    ("service=~kine", False),  # a regex must match the whole value
    ("service=~nesis", False),
    ("service=~kine|nesis", False),  # each alternative must match the whole value
    ("service!~kine", True),
    ("service!~kin.*", False),
    ("service=~kinesis,severity=critical", True),
    ("service=~kinesis,severity=warning", False),
    ("{service=kinesis, severity=critical}", True),
    ("{ service = kinesis , severity =~ crit.* , }", True),
    ("service=kinesis,", True),
    ('team=""', True),  # a label that is absent has an empty value
    ('team!=""', False),
    ('team=~".*"', True),
    ('team=~".+"', False),
    ('team!="ops"', True),
    ("größe=1", True),
    ('"größe"="1"', True),
    ('"tag team"=x', True),
    ('resource="a \\"b\\" {c}\\n"', True),
    ('resource=~"a.*\\\\{c\\\\}\\\\s"', True),
    ('severity="\\u0063ritical"', True),
    ("service=~(?i)KINESIS", True),
]


@pytest.mark.parametrize(("text", "matches"), MATCHER_TEXTS)
def test_matchers_match_as_in_alertmanager(text: str, matches: bool) -> None:
    assert all_match(parse_matchers(text), LABELS) is matches


# A text, and the begin of its error.
INVALID_TEXTS = [
    (",", "column 1: expected a label's name, found ','"),
    ("{,}", "column 2: expected a label's name, found ','"),
    ("{", "column 2: expected a comma or }, found the end"),
    ("}", "column 1: expected a comma or the end, found '}'"),
    ("a=b}", "column 4: expected a comma or the end, found '}'"),
    ("{a=b", "column 5: expected a comma or }, found the end"),
    ("{a=b}c=d", "column 6: expected the end, found 'c'"),
    ("a=b c=d", "column 5: expected a comma or the end, found 'c'"),
    ("a=b,,c=d", "column 5: expected a label's name, found ','"),
    ("severity", "column 9: expected an operator (=, !=, =~ or !~), found the end"),
    ("severity critical", "column 10: expected an operator (=, !=, =~ or !~), found 'critical'"),
    ("a=", "column 3: expected a value, or two quotes for none, found the end"),
    ("a==b", "column 3: expected a value, or two quotes for none, found '='"),
    ('""=b', "column 1: expected a label's name, found ''"),
    ('a="b', "column 3: expected a closing quote, found none"),
    ("a='b'", 'column 3: expected a name, a value or an operator, found "\'"; quote it'),
    ("a=b\\n", "column 4: expected a name, a value or an operator, found '\\\\'; quote it"),
    ('a="x\\d"', "column 5: expected an escape such as \\n or \\\\, found \\d; double the backslash"),
    ("a=b, c=~(", "column 9: expected a regex that RE2 accepts: missing ): ("),
    ("a=~(?=b)", "column 4: expected a regex"),  # RE2 has no lookahead
    ('a=~"(b)\\\\1"', "column 4: expected a regex that RE2 accepts: invalid escape sequence: \\1"),
    (
        "a=~" + "x" * (MAX_REGEX_LENGTH + 1),
        "column 4: expected a regex of at most 1000 characters, found 1001",
    ),
    ("a" * (MAX_LENGTH + 1), "column 4097: expected at most 4096 characters, found 4097"),
    (",".join(["a=b"] * (MAX_MATCHERS + 1)), "column 260: expected at most 64 matchers, found more"),
]


@pytest.mark.parametrize(("text", "error_begin"), INVALID_TEXTS)
def test_an_invalid_matcher_is_reported_with_its_column(text: str, error_begin: str) -> None:
    with pytest.raises(MatcherError) as caught:
        parse_matchers(text)
    assert str(caught.value).startswith(error_begin)


short_texts = st.text(max_size=8)
operators = st.sampled_from(["=", "!="])
matchers = st.lists(st.builds(Matcher, short_texts.filter(bool), operators, short_texts), max_size=4)


@given(matchers)
def test_matchers_survive_formatting_and_parsing(expected_matchers: list[Matcher]) -> None:
    text = ",".join(map(str, expected_matchers))
    assert parse_matchers(text) == parse_matchers(f"{{{text}}}") == tuple(expected_matchers)


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_raises_an_error_with_a_column_of_the_text(text: str) -> None:
    try:
        parse_matchers(text)
    except MatcherError as error:
        assert 1 <= error.column <= len(text) + 1


@given(st.dictionaries(short_texts, st.text(st.characters(exclude_categories=()), max_size=8)))
def test_every_label_value_can_be_matched_even_with_lone_surrogates(labels: dict[str, str]) -> None:
    label_with_surrogate = labels.get("b", "") + "\ud800"
    assert all_match(parse_matchers("a=~.*,b!~x.y"), {**labels, "a": "", "b": label_with_surrogate})


def test_a_regex_that_takes_exponential_time_in_backtracking_engines_is_matched_in_linear_time() -> None:
    matchers_with_regex = parse_matchers('resource=~"(a|aa|a?)*(a+)+b"')
    assert not all_match(matchers_with_regex, {"resource": "a" * 5000 + "c"})


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("resource=orders/prod", True),
        ("resource=a1b2/prod", True),
        ("resource=~a1b2/.*", True),
        ("resource=orders", False),
        ("resource!=orders/prod", False),
        ("resource!=a1b2/prod", False),
        ("resource!~internal/.*", True),
        ("resource_id=a1b2/prod", True),
        ("resource_id=orders/prod", False),
    ],
)
def test_a_matcher_of_resource_compares_the_name_and_the_id(text: str, matches: bool) -> None:
    assert all_match(parse_matchers(text), {"resource": "orders/prod", "resource_id": "a1b2/prod"}) is matches


def test_matchers_tell_an_account_limit_from_a_resource_named_account() -> None:
    account_limit, stream = {"signal": "x", "resource": ""}, {"signal": "x", "resource": "account"}
    of_stream, of_account_limit = parse_matchers("resource=account"), parse_matchers('resource=""')
    assert all_match(of_stream, stream)
    assert not all_match(of_stream, account_limit)
    assert all_match(of_account_limit, account_limit)
    assert not all_match(of_account_limit, stream)
