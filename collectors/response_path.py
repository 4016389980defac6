"""Paths into AWS's responses: JMESPath, with three functions for the parts of texts such as ARNs."""

import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Any

from jmespath import Options
from jmespath import compile as compile_path
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature
from jmespath.parser import ParsedResult

from collectors.expression import ExpressionError
from rules.problem_text import suggestion

MAX_LENGTH = 1000  # characters of a path
MAX_DEPTH = 60  # levels of the syntax tree of a path
MAX_CACHED = 4096  # paths that are cached by their text

SyntaxNode = Mapping[str, Any]  # a node of the syntax tree of a path


class _TextFunctions(Functions):
    """The functions `after(text, separator)`, `after_last` and `before`; null if the separator is missing."""

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_after(self, text: str, separator: str) -> str | None:
        _, found_separator, rest = text.partition(separator)
        return rest if found_separator else None

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_after_last(self, text: str, separator: str) -> str | None:
        _, found_separator, rest = text.rpartition(separator)
        return rest if found_separator else None

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_before(self, text: str, separator: str) -> str | None:
        rest, found_separator, _ = text.partition(separator)
        return rest if found_separator else None


OPTIONS = Options(custom_functions=_TextFunctions())
# The types of the arguments of each function; an argument without types may have any type.
SIGNATURES: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    name: entry["signature"] for name, entry in _TextFunctions.FUNCTION_TABLE.items()
}


class ResponsePath:
    """A JMESPath. If `response_path` did not check it, its first use parses it, and may raise ValueError."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _compiled(self) -> ParsedResult:
        return _compile(self.text)

    @property
    def parsed(self) -> SyntaxNode:
        """The syntax tree of the path."""
        tree: SyntaxNode = self._compiled.parsed
        return tree

    @cached_property
    def fields(self) -> frozenset[str]:
        """The names of all fields in the path."""
        return frozenset(str(node["value"]) for node in _nodes(self.parsed) if node["type"] == "field")

    def check(self) -> None:
        """Raise ValueError for a text that is no path, or that calls an unknown function."""
        if len(self.text) > MAX_LENGTH:
            raise ValueError(f"expected at most {MAX_LENGTH:,} characters, found {len(self.text):,}")
        for node in [*_nodes(self.parsed)]:
            if node["type"] == "function_expression":
                _check_function(node)
            elif node["type"] == "slice" and node["children"][2] == 0:
                raise ValueError(f"expected a step of a slice that is not 0, found {self.text!r}")

    def __repr__(self) -> str:
        return f"ResponsePath({self.text!r})"

    def search(self, value: Any) -> Any:
        """Return the result of the path for a value; None if it finds nothing.

        Raises ExpressionError if a function or comparison does not accept the type of an argument.
        """
        try:
            return self._compiled.search(value, options=OPTIONS)
        except (JMESPathError, TypeError) as error:  # TypeError: a number is compared with another type
            raise ExpressionError(f"{self.text}: {error}") from None


@lru_cache(MAX_CACHED)
def unchecked_path(text: str) -> ResponsePath:
    """Return the path of a text; the same object for the same text."""
    return ResponsePath(text)


@lru_cache(MAX_CACHED)
def response_path(text: str) -> ResponsePath:
    """Return the checked path of a text; the same object for the same text. Raises ValueError."""
    path = unchecked_path(text)
    path.check()
    return path


def _compile(text: str) -> ParsedResult:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PendingDeprecationWarning)  # for backticks without quotes
            return compile_path(text)
    except (JMESPathError, json.JSONDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a JMESPath, found {text!r}: {reason}") from None
    except RecursionError:
        raise ValueError(f"expected at most {MAX_DEPTH} levels, found {text!r}") from None


def _nodes(parsed: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield the nodes of a syntax tree. Raises ValueError if the tree is too deep to be evaluated."""
    level = [parsed]
    for _ in range(MAX_DEPTH):
        yield from level
        level = [child for node in level for child in node["children"] if isinstance(child, Mapping)]
        if not level:
            return
    raise ValueError(f"expected at most {MAX_DEPTH} levels")


def _check_function(node: SyntaxNode) -> None:
    """Raise ValueError if a function does not exist, or does not accept this number of arguments."""
    name, argument_count = node["value"], len(node["children"])
    if name not in SIGNATURES:
        raise ValueError(f"no function {name}{suggestion(name, SIGNATURES)}")
    arguments = SIGNATURES[name]
    variadic = bool(arguments[-1].get("variadic"))
    if argument_count < len(arguments) or (argument_count > len(arguments) and not variadic):
        least = "at least " if variadic else ""
        raise ValueError(f"expected {least}{len(arguments)} arguments of {name}, found {argument_count}")
