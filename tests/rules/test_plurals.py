"""Numbers of things in words."""

import pytest

from rules.plurals import agreeing, count_of, plural, singular
from rules.units import PLURAL
from tests.registries import REGISTRY


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "cell", "0 cells"),
        (1, "cell", "1 cell"),
        (2, "more quota", "2 more quotas"),
        (1200, "series", "1,200 series"),
        (1, "series", "1 series"),
        (2, "policy", "2 policies"),
        (2, "day", "2 days"),
        (3, "address", "3 addresses"),
        (3, "index", "3 indexes"),
    ],
)
def test_a_noun_agrees_with_its_number(number: int, noun: str, expected: str) -> None:
    assert count_of(number, noun) == expected


def test_a_word_agrees_with_a_number() -> None:
    assert [agreeing(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


def test_the_singular_of_every_unit_has_the_unit_as_its_plural() -> None:
    names = {signal.unit.name for signal in REGISTRY.signals}
    nouns = {found["plural"] for name in names if (found := PLURAL.fullmatch(name))}
    nouns = {noun for noun in nouns if noun.endswith("s")}
    assert len(nouns) > 100
    assert {noun for noun in nouns if plural(singular(noun)) != noun} == set()


@pytest.mark.parametrize(
    ("several", "one"),
    [("queries", "query"), ("caches", "cache"), ("databases", "database"), ("event buses", "event bus")],
)
def test_a_plural_has_a_singular(several: str, one: str) -> None:
    assert singular(several) == one
