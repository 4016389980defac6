"""The expressions in declarations: their values, and the expressions that are refused."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from resource import RUSAGE_SELF, getrusage
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.base import PER_MINUTE, Metric, Op, Usage, difference, highest, lowest, ratio, total
from collectors.expression import MAX_LENGTH, ExpressionError, parse_expression
from tests.reference_values import reference_value

SENT, RECEIVED, LEFT = (Metric("AWS/Test", name, "Sum") for name in ("Sent", "Received", "Left"))

TERMS_OF_HIGHEST = highest(SENT, RECEIVED).terms


@dataclass(frozen=True, slots=True)
class Owner:
    """A resource with facts by name; a test may put a metric in place of a fact."""

    facts: Mapping[str, Any] = field(default_factory=dict)

    def fact(self, name: str) -> Any:
        return self.facts.get(name)


@dataclass(frozen=True, slots=True)
class Names:
    """A scope with the values of some names; all other names are unknown."""

    values: Mapping[str, Any]

    def lookup(self, name: str) -> Any:
        return self.values.get(name)

    def attribute(self, owner: Any, name: str) -> Any:
        if not isinstance(owner, Owner):
            raise TypeError(f"expected one resource, found {type(owner).__name__}")
        return owner.fact(name)


def one_if_positive(usage: Usage) -> Usage:
    """Return the usage that is 1 in each minute in which `usage` is above 0, and else 0."""
    return Usage(Op.POSITIVE, ((usage, 1.0),))


NAMES = Names(
    {
        "size": 10,
        "half": 0.5,
        "zero": 0,
        "text": "orders.fifo",
        "digits": "12.5",
        "enabled": ["GroupMaxSize"],
        "yes": True,
        "no": False,
        "empty": [],
        "limits": {"small": 5.0, "large": 50.0},
        "kind": "large",
        "group": Owner({"targets": 3, "name": "web"}),
        "metered": [Owner({"Bytes": SENT}), Owner({"Bytes": RECEIVED})],
        "zones": ["a", "b", "a"],
        "now": 1_700_000_000.0,
        "made": datetime(2023, 11, 14, tzinfo=UTC),
        "groups": [Owner({"targets": 3}), Owner({"targets": 4})],
        "partly": [Owner({"targets": 3}), Owner()],
        "huge": 10**300,
        "Sent": SENT,
        "Received": RECEIVED,
        "Left": LEFT,
    }
)


def value_of(text: str) -> Any:
    """Return the value of an expression over NAMES."""
    return parse_expression(text).evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ("-size", -10),
        ("size + 2 * half", 11),
        ("size / 4 - 1", 1.5),
        ("'a' + 'b'", "ab"),
        ("text", "orders.fifo"),
        ("number(digits) * 2", 25),
        ("number(text)", None),
        ("number('nan')", None),
        ("number('inf')", None),
        ("number(unknown)", None),
        ("ceil(size / 3)", 4),
        ("floor(size / 3)", 3),
        ("starts_with(text, 'orders')", True),
        ("ends_with(text, '.fifo')", True),
        ("ends_with(text, 'x')", False),
        # An expression over an unknown value is unknown.
        ("unknown", None),
        ("unknown + 1", None),
        ("size - unknown", None),
        ("-unknown", None),
        ("unknown * 0", None),
        ("unknown / 0", None),
        ("unknown.fact", None),
        ("group.unknown", None),
        ("unknown['small']", None),
        ("limits[unknown]", None),
        ("limits['medium']", None),
        ("ceil(unknown)", None),
        ("count(unknown)", None),
        ("sum(unknown)", None),
        ("starts_with(unknown, 'x')", None),
        ("max(size, unknown)", None),
        ("sum(size, unknown)", None),
        ("rate(unknown)", None),
        ("Sent / unknown", None),
        # A quotient by 0 is unknown.
        ("size / 0", None),
        ("size / zero", None),
        ("Sent / 0", None),
        # Truth values.
        ("yes and not no", True),
        ("no or size", 10),
        ("unknown or 0", 0),
        ("(unknown or 0) > 0", False),
        ("no and unknown", False),
        ("unknown and yes", None),
        ("not unknown", True),
        ("size if yes else 0", 10),
        ("size if unknown else 0", 0),
        # A comparison with an unknown value is false, except with None.
        ("size > 5", True),
        ("5 < size <= 10", True),
        ("5 < size < 10", False),
        ("unknown > 5", False),
        ("unknown <= 5", False),
        ("5 < unknown", False),
        ("unknown == None", True),
        ("unknown is None", True),
        ("size is not None", True),
        ("kind == 'large'", True),
        ("kind != 'large'", False),
        ("kind in ('small', 'large')", True),
        ("kind not in ['small']", True),
        ("'GroupMaxSize' in enabled", True),
        ("'GroupMaxSize' in unknown", False),
        ("'GroupMaxSize' not in unknown", True),
        ("unknown in enabled", False),
        ("unknown in text", False),
        # Tables.
        ("limits[kind]", 50.0),
        ("limits['small'] * 2", 10.0),
        # Resources.
        ("group.targets", 3),
        ("count(groups)", 2),
        ("count(empty)", 0),
        ("sum(one.targets for one in groups)", 7),
        ("max(one.targets for one in groups)", 4),
        ("min(one.targets for one in groups)", 3),
        ("sum(one.targets for one in empty)", 0),
        ("sum(one.targets for one in unknown)", None),
        ("sum(1 for one in unknown)", None),
        ("max(one.targets for one in empty)", None),
        ("min(one.targets for one in empty)", None),
        ("count(one for one in groups if one.targets > 3)", 1),
        ("count(one for one in groups if one.targets > 2 if one.targets < 4)", 1),
        ("sum(one.targets + size for one in groups)", 27),
        ("sum(one.targets for one in partly)", None),
        ("sum(one.targets or 0 for one in partly)", 3),
        ("sum(one.targets for one in partly if one.targets)", 3),
        ("count(partly)", 2),
        ("largest_group(zones)", 2),
        ("largest_group(one.targets for one in groups)", 1),
        ("largest_group(empty)", 0),
        ("occurrences(zones, 'a')", 2),
        ("largest_group(unknown)", None),
        ("largest_group(one.targets for one in partly)", None),
        # A metric beside an unknown value.
        ("unknown > Sent", False),
        ("size if Left > 0 else unknown", None),
        # Times.
        ("epoch(made)", 1_699_920_000.0),
        ("epoch('2023-11-14T00:00:00Z')", 1_699_920_000.0),
        ("epoch(unknown)", None),
        ("now - epoch(made) < 86400", True),
        ("now - epoch(unknown) < 86400", False),
        # Extremes and sums of several values.
        ("max(size, 3)", 10),
        ("min(size, half, 3)", 0.5),
        ("sum(1, 2, 3)", 6),
        ("sum(size)", 10),
    ],
)
def test_an_expression_over_facts_has_the_expected_value(text: str, expected: Any) -> None:
    assert value_of(text) == expected
    assert type(value_of(text)) is type(expected) or isinstance(expected, int | float)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sent", SENT),
        ("rate(Sent)", total(SENT).scaled(PER_MINUTE)),
        ("Sent + Received", total(SENT, RECEIVED)),
        ("rate(Sent) + rate(Received)", total(SENT, RECEIVED).scaled(PER_MINUTE)),
        ("sum(Sent, Received, Left)", total(SENT, RECEIVED, LEFT)),
        ("Sent + 5", Usage(Op.SUM, ((SENT, 1.0),), offset=5)),
        ("5 + Sent", Usage(Op.SUM, ((SENT, 1.0),), offset=5)),
        ("Sent - 5", Usage(Op.SUM, ((SENT, 1.0),), offset=-5)),
        ("100 - Left", Usage(Op.SUM, ((LEFT, -1.0),), offset=100)),
        ("size - rate(Left)", Usage(Op.SUM, ((LEFT, -PER_MINUTE),), offset=10)),
        ("Sent - Received", difference(SENT, RECEIVED)),
        (
            "rate(Sent) - rate(Received)",
            Usage(Op.DIFFERENCE, ((SENT, PER_MINUTE), (RECEIVED, -PER_MINUTE))),
        ),
        ("rate(Sent - Received)", difference(SENT, RECEIVED).scaled(PER_MINUTE)),
        ("max(Sent, Received)", highest(SENT, RECEIVED)),
        ("min(Sent, Received)", lowest(SENT, RECEIVED)),
        ("max(rate(Sent), rate(Received))", Usage(Op.MAX, ((SENT, PER_MINUTE), (RECEIVED, PER_MINUTE)))),
        ("max(rate(Sent), rate(Received)) / 10", highest(SENT, RECEIVED).scaled(PER_MINUTE).scaled(0.1)),
        ("Sent * 2", Usage(Op.SUM, ((SENT, 2.0),))),
        ("2 * Sent", Usage(Op.SUM, ((SENT, 2.0),))),
        ("(Sent + 5) * 2", Usage(Op.SUM, ((SENT, 2.0),), offset=10)),
        ("Sent / Received", ratio(SENT, RECEIVED)),
        ("Sent / Received * 100", Usage(Op.RATIO, ((SENT, 100.0), (RECEIVED, 1.0)))),
        ("(Sent + Received) / Left", ratio(total(SENT, RECEIVED), LEFT)),
        ("-Sent", Usage(Op.SUM, ((SENT, -1.0),))),
        # A negative factor applies to the value of a maximum or a difference, and not to its terms.
        ("-max(Sent, Received)", Usage(Op.SUM, ((highest(SENT, RECEIVED), -1.0),))),
        ("max(Sent, Received) / -2", Usage(Op.SUM, ((highest(SENT, RECEIVED), -0.5),))),
        ("(Sent - Received) * -1", Usage(Op.SUM, ((difference(SENT, RECEIVED), -1.0),))),
        ("100 - max(Sent, Received)", Usage(Op.SUM, ((highest(SENT, RECEIVED), -1.0),), offset=100)),
        ("rise(Sent)", Usage(Op.RISE, ((SENT, 1.0),))),
        ("rise(rate(Sent) + rate(Received))", Usage(Op.RISE, ((SENT, PER_MINUTE), (RECEIVED, PER_MINUTE)))),
        ("Sent if yes else size", SENT),
        # An offset is added once to a maximum, and not to each of its terms.
        ("max(Sent, Received) + 5 + Left", total(Usage(Op.MAX, TERMS_OF_HIGHEST, offset=5), LEFT)),
        ("max(Sent + 5, Received)", highest(Usage(Op.SUM, ((SENT, 1.0),), offset=5), RECEIVED)),
        ("max(Sent, Received) + Left", total(highest(SENT, RECEIVED), LEFT)),
        ("sum(one.Bytes for one in metered)", total(SENT, RECEIVED)),
        ("sum(rate(one.Bytes) for one in metered)", total(SENT, RECEIVED).scaled(PER_MINUTE)),
        # A comparison is 1 in each minute in which it is true.
        ("Sent > 3", one_if_positive(Usage(Op.SUM, ((SENT, 1.0),), offset=-3))),
        ("3 < Sent", one_if_positive(Usage(Op.SUM, ((SENT, 1.0),), offset=-3))),
        ("Sent < 3", one_if_positive(Usage(Op.SUM, ((SENT, -1.0),), offset=3))),
        (
            "Sent >= 3",
            Usage(Op.SUM, ((one_if_positive(Usage(Op.SUM, ((SENT, -1.0),), offset=3)), -1.0),), offset=1),
        ),
        ("Sent > Received", one_if_positive(Usage(Op.SUM, ((SENT, 1.0), (RECEIVED, -1.0))))),
        ("size if Left > 0 else 4", Usage(Op.SUM, ((one_if_positive(total(LEFT)), 6.0),), offset=4)),
    ],
)
def test_an_expression_over_metrics_has_the_expected_usage(text: str, expected: Usage | Metric) -> None:
    found = value_of(text)
    assert weights_and_offsets(found) == pytest.approx(weights_and_offsets(expected))
    assert operations(found) == operations(expected)


POINTS = {"Sent": 7.0, "Received": 4.0, "Left": 2.5}


class Calculation(NamedTuple):
    """An expression over metrics, and its value at POINTS."""

    text: str
    value: float


numbers = st.sampled_from([0.5, 2.0, -3.0, 100.0])


def combine_calculations(inner: st.SearchStrategy[Calculation]) -> st.SearchStrategy[Calculation]:
    """Return a strategy that combines calculations with each other and with numbers."""
    several = st.lists(inner, min_size=1, max_size=3)
    functions: list[tuple[str, Any]] = [("max", max), ("min", min), ("sum", sum)]
    return st.one_of(
        st.builds(lambda a, b: Calculation(f"({a.text} + {b.text})", a.value + b.value), inner, inner),
        st.builds(
            lambda a, b: Calculation(f"({a.text} - {b.text})", max(a.value - b.value, 0.0)), inner, inner
        ),
        st.builds(lambda a, number: Calculation(f"({a.text} + {number})", a.value + number), inner, numbers),
        st.builds(lambda a, number: Calculation(f"({number} + {a.text})", a.value + number), inner, numbers),
        st.builds(lambda a, number: Calculation(f"({a.text} - {number})", a.value - number), inner, numbers),
        st.builds(lambda a, number: Calculation(f"({number} - {a.text})", number - a.value), inner, numbers),
        st.builds(lambda a, number: Calculation(f"({a.text} * {number})", a.value * number), inner, numbers),
        st.builds(lambda a, number: Calculation(f"({a.text} / {number})", a.value / number), inner, numbers),
        st.builds(lambda a: Calculation(f"-{a.text}", -a.value), inner),
        st.builds(lambda a: Calculation(f"rate({a.text})", a.value / 60), inner),
        st.builds(
            lambda function, terms: Calculation(
                f"{function[0]}({', '.join(term.text for term in terms)})",
                function[1]([term.value for term in terms]),
            ),
            st.sampled_from(functions),
            several,
        ),
    )


@given(
    st.recursive(
        st.sampled_from([Calculation(*item) for item in POINTS.items()]), combine_calculations, max_leaves=6
    )
)
def test_the_usage_of_an_expression_has_the_value_of_the_calculation(calculation: Calculation) -> None:
    points = {metric: {0: POINTS[metric.name]} for metric in (SENT, RECEIVED, LEFT)}
    assert reference_value(value_of(calculation.text), points, 0) == pytest.approx(
        calculation.value, abs=1e-9
    )


def operations(value: Usage | Metric) -> Any:
    """Return the operations and metrics of a usage, without its weights and offsets."""
    if isinstance(value, Metric):
        return value.name
    return value.op, [operations(term) for term, _ in value.terms]


def weights_and_offsets(value: Usage | Metric) -> list[float]:
    """Return the offsets and weights of a usage, in the order of its terms."""
    if isinstance(value, Metric):
        return []
    flattened = [number for term, weight in value.terms for number in (weight, *weights_and_offsets(term))]
    return [value.offset, *flattened]


@pytest.mark.parametrize(
    "text",
    [
        "size + text",
        "text - text",
        "text * 2",
        "2 * text",
        "enabled * 2",
        "enabled + enabled",
        "yes + 1",
        "text / 2",
        "text / 0",
        "-text",
        "size > text",
        "enabled < 3",
        "0 < Sent < 3",
        "Sent > 3 and yes",
        "not (Sent > 3)",
        "count(one for one in groups if Sent > 3)",
        "size if Sent else 3",
        "Received if Sent > 3 else Left",
        "Sent > 'a'",
        "epoch(enabled)",
        "epoch('soon')",
        "largest_group(size)",
        "size in 5",
        "size in text",
        "Sent == 5",
        "size != Sent",
        "Sent in enabled",
        "count(size)",
        "count(text)",
        "count(group)",
        "count(limits)",
        "sum(text)",
        "sum(size, text)",
        "max(size, text)",
        "sum(one.targets for one in size)",
        "sum(one.targets for one in group)",
        "sum(one.targets for one in text)",
        "sum(one.targets for one in enabled)",
        "groups.targets",
        "size.targets",
        "text.upper",
        "Sent.name",
        "size['small']",
        "enabled[0]",
        "text[0]",
        "limits[enabled]",
        "ceil(text)",
        "ceil(Sent)",
        "floor(enabled)",
        "starts_with(size, 'x')",
        "starts_with(text, 5)",
        "ends_with(text, enabled)",
        "rate(size)",
        "rise(5)",
        "Sent * Received",
        "Sent * text",
        "Sent * yes",
        "size / Sent",
        "Sent + text",
        "max(Sent, size)",
        "sum(Sent, text)",
        "huge * huge",
        "huge * huge / huge",
    ],
)
def test_an_operand_of_the_wrong_type_is_an_error(text: str) -> None:
    expression = parse_expression(text)
    with pytest.raises(ExpressionError):
        expression.evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size.fact", "attribute: expected one resource, found int"),
        ("text[0]", "entry: expected a table, found str"),
        ("ceil(text)", "ceil: must be real number, not str"),
    ],
)
def test_an_error_names_the_function_and_the_type_of_the_wrong_operand(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse_expression(text).evaluate(NAMES)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected an expression"),
        ("1 +", "expected an expression"),
        ("a b", "expected an expression"),
        ("a = 1", "expected an expression"),
        ("a\nb", "expected an expression"),
        ("a\0", "expected an expression"),
        ("'\\d'", "expected an expression"),
        ("1if a else 2", "expected an expression"),
        ("open('x')", "one of the functions ceil, count,"),
        ("__import__('os')", "one of the functions"),
        ("text.upper()", "one of the functions"),
        ("sum(a)(b)", "one of the functions"),
        ("sum(values=a)", "one of the functions"),
        ("sum(**a)", "one of the functions"),
        ("sum(*a)", "simple expression"),
        ("sum()", "sum: "),
        ("max()", "max: "),
        ("count()", "count: "),
        ("count(a, b)", "count: "),
        ("rate(a, b)", "rate: "),
        ("ceil()", "ceil: "),
        ("starts_with(a)", "starts_with: "),
        ("number(a, b)", "number: "),
        ("a.b.c", "expected KIND.FACT"),
        ("sum(a).b", "expected KIND.FACT"),
        ("''.join", "expected KIND.FACT"),
        ("lambda: 1", "simple expression"),
        ("f'{a}'", "simple expression"),
        ("f'{a!r:>{b}}'", "simple expression"),
        ("[x for x in a]", "simple expression"),
        ("{x for x in a}", "simple expression"),
        ("{x: 1 for x in a}", "simple expression"),
        ("{'a': 1}", "simple expression"),
        ("{1, 2}", "simple expression"),
        ("(a := 1)", "simple expression"),
        ("a[1:2]", "simple expression"),
        ("await a", "simple expression"),
        ("(yield)", "simple expression"),
        ("a ** 2", "expected +, -, * or /"),
        ("10**10**10", "expected +, -, * or /"),
        ("'a' * 10**9", "expected +, -, * or /"),
        ("1 << 100", "expected +, -, * or /"),
        ("a % b", "expected +, -, * or /"),
        ("a // b", "expected +, -, * or /"),
        ("a @ b", "expected +, -, * or /"),
        ("'%s' % a", "expected +, -, * or /"),
        ("+a", "expected - or not"),
        ("~a", "expected - or not"),
        ("b'x'", "a number or a text"),
        ("1j", "a number or a text"),
        ("...", "a number or a text"),
        ("1e999", "below 1e308"),
        ("9" * 400, "below 1e308"),
        ("sum(x for x in a for y in b)", "one `for NAME in KIND`"),
        ("sum(x for x in a.b)", "one `for NAME in KIND`"),
        ("sum(x for x in [1, 2])", "one `for NAME in KIND`"),
        ("sum(x for x, y in a)", "one `for NAME in KIND`"),
        ("sum(x async for x in a)", "one `for NAME in KIND`"),
        ("sum(sum(x.c for x in b) for x in a)", "a name that is not in use"),
        ("sum(count(y for y in x) for x in a)", "a name that is not in use"),
        ("a" * (MAX_LENGTH + 1), "at most 1,000 characters, found 1,001"),
        ("-" * 900 + "1", "at most 60 levels"),
        ("not " * 240 + "a", "at most 60 levels"),
        ("+".join("a" * 100), "at most 60 levels"),
        ("lambda: " + "-" * 900 + "1", "at most 60 levels"),
        ("(" * 400 + "1" + ")" * 400, "expected an expression"),
        ("[" * 150 + "]" * 150, "at most 60 levels"),
    ],
)
def test_an_expression_that_is_not_simple_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as error:
        parse_expression(text)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["'a' * 1000000000", "1000000000 * 'a'", "[1] * 1000000000", "'a' * 1000 * 1000 * 1000", "9e199 * 9e199"],
)
def test_no_expression_takes_much_memory(text: str) -> None:
    before = getrusage(RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExpressionError):
        value_of(text)
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB


def test_the_longest_and_deepest_expressions_are_evaluated() -> None:
    assert value_of("+".join(["1"] * 50)) == 50
    assert value_of("max(" + ",".join(["1"] * 400) + ")") == 1
    assert value_of("-" * 50 + "1") == 1


def test_a_parsed_expression_has_the_names_and_facts_that_it_needs() -> None:
    expression = parse_expression(
        "sum(one.targets + size for one in group if one.kind == kind) / limits['a']"
    )
    assert expression.names == {"group", "size", "kind", "limits"}
    assert expression.attributes == {("group", "targets"), ("group", "kind")}
    direct = parse_expression("load_balancer.units or 0")
    assert direct.names == {"load_balancer"}
    assert direct.attributes == {("load_balancer", "units")}


def test_a_parsed_expression_has_the_names_of_single_resources_and_of_lists_of_resources() -> None:
    expression = parse_expression("sum(x.a for x in volume) + group.b + count(disk) + count(x for x in y)")
    assert expression.single_names == {"group"}
    assert expression.list_names == {"volume", "disk", "y"}


def test_a_variable_hides_a_name_only_within_its_generator() -> None:
    expression = parse_expression("sum(size.targets for size in groups) + size")
    assert expression.names == {"groups", "size"}
    assert expression.evaluate(NAMES) == 17


def evaluate_or_refuse(text: str) -> None:
    """Evaluate a text. An ExpressionError is expected; every other error is raised."""
    with suppress(ExpressionError):
        value_of(text)


WORDS = """
( ) [ ] { } . , + - * / < > = : ' @ % ~ & | ^ ** == != // << := \\ # and or not in is if else None True
0 7 1e308 'a' f' one one.targets sum( max( min( count( rate( rise( number( ceil( floor( starts_with( unknown
99999999999999999999 lambda await yield
"""
tokens = st.sampled_from([*NAMES.values, *WORDS.split(), " ", "\n", "\0", " for one in ", "lambda x: "])


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(tokens, max_size=14).map("".join),
        st.lists(tokens, max_size=14).map(" ".join),
    )
)
@example("-" * 999 + "1")
@example("[" * 999)
@example("\ud800")
@example("é.ﬁ")
def test_any_text_is_an_expression_or_an_error(text: str) -> None:
    evaluate_or_refuse(text)


operands = st.sampled_from(
    [*NAMES.values, "unknown", "1", "0", "'a'", "None", "one.targets", "(1, 2)", "2.5"]
)
expressions = st.recursive(
    operands,
    lambda inner: st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "<", ">=", "==", "in", "and", "or", "is"]), inner
        ).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(
            st.sampled_from(["sum", "max", "min", "count", "rate", "rise", "ceil", "number"]), inner
        ).map(lambda parts: f"{parts[0]}({parts[1]})"),
        inner.map(lambda text: f"sum({text} for one in groups)"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, inner).map(lambda parts: f"max({parts[0]}, {parts[1]})"),
        st.tuples(inner, inner, inner).map(lambda parts: "({} if {} else {})".format(*parts)),
    ),
    max_leaves=12,
)


@given(expressions)
def test_a_well_formed_expression_has_a_value_or_is_an_error(text: str) -> None:
    evaluate_or_refuse(text)
