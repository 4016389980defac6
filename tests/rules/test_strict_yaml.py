"""The YAML of a configuration file: its values, and the features of YAML that are not supported."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.strict_yaml import parse

# Texts that JSON and YAML have in common: JSON writes higher characters as pairs of escapes, and YAML allows
# keys of 1024 characters.
TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=50)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing but remarks\n", None),
        ("\ufeffa: 1", {"a": 1}),
        ("[~, null, '', 'null']", [None, None, "", "null"]),
        ("[true, False, yes, no, on, off]", [True, False, "yes", "no", "on", "off"]),
        ("[7, -3, 012345670123, 0x1f, 1_000, 12:30]", [7, -3, "012345670123", "0x1f", "1_000", "12:30"]),
        ("[0.5, .5, 5., 1e3, -2.5E-1]", [0.5, 0.5, 5.0, 1000.0, -0.25]),
        ("['1', \"0.5\", .inf, .nan, 2026-01-01]", ["1", "0.5", ".inf", ".nan", "2026-01-01"]),
        ("9999999999999999999999", "9999999999999999999999"),
        ("true: 1\n5: 2\n<<: 3", {"true": 1, "5": 2, "<<": 3}),
        ("a: &anchor [1]", {"a": [1]}),
    ],
)
def test_scalars_follow_the_core_schema_and_keys_are_text(text: str, value: object) -> None:
    assert parse(text.encode()) == (value, [])


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: 1\nb: 2\na: 3", [(("a",), "given twice (line 3, column 1)")]),
        ("a:\n- b: 1\n  b: 1", [(("a", 0, "b"), "given twice (line 3, column 3)")]),
        ("a: &x 1\nb: *x", [(("b",), "aliases are not supported (line 2, column 4)")]),
        ("a: &x [*x]", [(("a", 0), "aliases are not supported (line 1, column 8)")]),
        ("a: !!python/name:os.system x", [(("a",), "tags are not supported (line 1, column 4)")]),
        (
            "!!map {a: !!int x}",
            [
                ((), "tags are not supported (line 1, column 1)"),
                (("a",), "tags are not supported (line 1, column 11)"),
            ],
        ),
        ("? [a]\n: {b: 1}", [((), "expected text as a key (line 1, column 3)")]),
    ],
)
def test_an_unsupported_feature_of_yaml_is_reported_with_its_place(text: str, problems: list[object]) -> None:
    assert parse(text.encode())[1] == problems


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: b: c", "mapping values are not allowed in this context (line 1, column 5)"),
        (b"ok: 1\n@bad: 2", "found character that cannot start any token (line 2, column 1)"),
        (b"a: [1, 2", "did not find expected ',' or ']' (line 2, column 1)"),
        (b"a: 1\nb: caf\xe9", "expected UTF-8, found the byte 0xe9 (line 2)"),
        (b"a: 1\nb: \x07", "control characters are not allowed (line 2)"),
        (b"a: 1\n---\nb: 2", "expected one document, found another (line 2, column 1)"),
        (b"- " * 30 + b"a", "nested too deeply (line 1, column 35)"),
        (b"[" * 100, "nested too deeply (line 1, column 18)"),
    ],
)
def test_content_that_is_no_yaml_is_reported_with_its_place(content: bytes, expected: str) -> None:
    with pytest.raises(ValueError) as failure:
        parse(content)
    assert str(failure.value) == expected


@pytest.mark.parametrize("opening", [b"[", b"{a: ", b"- ", b"? "])
def test_nesting_that_is_too_deep_is_rejected(opening: bytes) -> None:
    with pytest.raises(ValueError, match="nest"):
        parse(opening * 200_000)


@given(JSON_VALUES)
def test_json_is_parsed_unchanged(value: object) -> None:
    assert parse(json.dumps(value).encode())[0] == value


@given(st.binary() | st.text().map(str.encode))
def test_parsing_raises_no_error_but_value_error(content: bytes) -> None:
    try:
        parse(content)
    except ValueError as error:
        assert "\n" not in str(error)
