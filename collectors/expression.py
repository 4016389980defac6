"""The expressions of declared services: a small part of Python's expressions, over facts and metrics.

An expression computes a number, a text, a truth value or, where it names a metric, a `Metric` or `Usage`. A
fact that AWS does not return is None. Arithmetic with None and functions of None return None. A condition is
false if it is None, or compares None by `<`, `<=`, `>`, `>=` or `in`. `a or b` is b if a is None.
"""

import ast
import inspect
import math
import operator
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property, lru_cache, partial, wraps
from typing import Any, Protocol

from collectors import amounts
from collectors.base import Usage
from collectors.times import epoch_seconds
from monitor.lib.errors import HeadroomError
from rules.problem_text import suggestion

MAX_LENGTH = 1000  # characters of an expression
MAX_DEPTH = 60  # levels of the syntax tree: `a + b + c` has a level for each +
MAX_CACHED = 4096  # expressions that are cached by their text

ScopeFunction = Callable[["Scope"], Any]


class Scope(Protocol):
    """Resolves the names of an expression."""

    def lookup(self, name: str) -> Any:
        """Return a fact, a resource, a list of resources, a table or a metric; None if it is unknown."""
        ...

    def attribute(self, owner: Any, name: str) -> Any:
        """Return a fact or metric of a resource; None if it is unknown. Raises TypeError for other owners."""
        ...


class ExpressionError(HeadroomError, ValueError):
    """An expression cannot be parsed, or combines values that do not go together."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A parsed expression; the fields are properties of `Expression`."""

    evaluate: ScopeFunction
    names: frozenset[str]
    attributes: frozenset[tuple[str, str]]
    single_names: frozenset[str]
    list_names: frozenset[str]


class Expression:
    """An expression. Unless `parse_expression` parsed it, its first use may raise ExpressionError."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    @cached_property
    def _parsed(self) -> _Parsed:
        return _parse(self.text)

    @property
    def names(self) -> frozenset[str]:
        """The names that the expression looks up in its scope."""
        return self._parsed.names

    @property
    def attributes(self) -> frozenset[tuple[str, str]]:
        """The facts and metrics of other resources in the expression, each as kind and name."""
        return self._parsed.attributes

    @property
    def single_names(self) -> frozenset[str]:
        """The names that must stand for one resource."""
        return self._parsed.single_names

    @property
    def list_names(self) -> frozenset[str]:
        """The names that must stand for several resources."""
        return self._parsed.list_names

    def evaluate(self, scope: Scope) -> Any:
        """Return the value in a scope. Raises ExpressionError for values that do not go together."""
        return self._parsed.evaluate(scope)


@lru_cache(MAX_CACHED)
def unchecked_expression(text: str) -> Expression:
    """Return the expression of a text; the same object for the same text."""
    return Expression(text)


def parse_expression(text: str) -> Expression:
    """Return the parsed expression of a text; the same object for the same text. Raises ExpressionError."""
    expression = unchecked_expression(text)
    _ = expression._parsed  # parses it, and raises the error
    return expression


def _parse(text: str) -> _Parsed:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected at most {MAX_LENGTH:,} characters, found {len(text):,}")
    tree = _syntax_tree(text.strip())
    _check_depth(tree)
    parser = _Parser()
    evaluate = parser.parse(tree)
    single_names, list_names = frozenset(parser.single_names), frozenset(parser.list_names)
    return _Parsed(evaluate, frozenset(parser.names), frozenset(parser.attributes), single_names, list_names)


def _syntax_tree(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a text that Python's parser warns about is refused, too
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, Warning):
        raise ExpressionError(f"expected an expression, found {text!r}") from None


def _check_depth(tree: ast.AST) -> None:
    """Raise ExpressionError for a tree that Python's stack could not hold when it is parsed or evaluated."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise ExpressionError(f"expected at most {MAX_DEPTH} levels")


@dataclass(frozen=True, slots=True)
class _WithVariable:
    """A scope with one more name, the variable of `x.size for x in volumes`."""

    outer: Scope
    name: str
    value: Any

    def lookup(self, name: str) -> Any:
        return self.value if name == self.name else self.outer.lookup(name)

    def attribute(self, owner: Any, name: str) -> Any:
        return self.outer.attribute(owner, name)


class _Parser:
    """Turns the nodes of a syntax tree into functions of the scope, and collects the names in it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self.single_names: set[str] = set()
        self.list_names: set[str] = set()
        self._variables: dict[str, str] = {}  # the kind that each variable runs over

    def parse(self, node: ast.expr) -> ScopeFunction:
        method = getattr(self, f"_parse_{type(node).__name__}", None)
        if method is None:
            raise ExpressionError(f"expected a simple expression, found {ast.unparse(node)!r}")
        evaluate: ScopeFunction = method(node)
        return evaluate

    def _parse_Constant(self, node: ast.Constant) -> ScopeFunction:
        value = node.value
        if isinstance(value, int | float) and number(value) is None:
            raise ExpressionError("expected a number below 1e308")
        if value is not None and not isinstance(value, int | float | str):
            raise ExpressionError(f"expected a number or a text, found {ast.unparse(node)!r}")
        return lambda _: value

    def _parse_Name(self, node: ast.Name) -> ScopeFunction:
        name = node.id
        if name not in self._variables:
            self.names.add(name)
        return lambda scope: scope.lookup(name)

    def _parse_Attribute(self, node: ast.Attribute) -> ScopeFunction:
        if not isinstance(node.value, ast.Name):
            raise ExpressionError(f"expected KIND.FACT, found {ast.unparse(node)!r}")
        owner, name = self.parse(node.value), node.attr
        self.attributes.add((self._variables.get(node.value.id, node.value.id), name))
        if node.value.id not in self._variables:
            self.single_names.add(node.value.id)

        def attribute(scope: Scope) -> Any:
            value = owner(scope)
            return None if value is None else _call(scope.attribute, (value, name))

        return attribute

    def _parse_List(self, node: ast.List | ast.Tuple) -> ScopeFunction:
        items = [self.parse(item) for item in node.elts]
        return lambda scope: [item(scope) for item in items]

    _parse_Tuple = _parse_List

    def _parse_Subscript(self, node: ast.Subscript) -> ScopeFunction:
        table, key = self.parse(node.value), self.parse(node.slice)
        return lambda scope: _call(_entry, (table(scope), key(scope)))

    def _parse_BinOp(self, node: ast.BinOp) -> ScopeFunction:
        left, right = self.parse(node.left), self.parse(node.right)
        if type(node.op) not in ARITHMETIC:
            raise ExpressionError(f"expected +, -, * or /, found {ast.unparse(node)!r}")
        return partial(_apply, ARITHMETIC[type(node.op)], (left, right))

    def _parse_UnaryOp(self, node: ast.UnaryOp) -> ScopeFunction:
        operand = self.parse(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: not _truth(operand(scope))
        if isinstance(node.op, ast.USub):
            return partial(_apply, _negative, (operand,))
        raise ExpressionError(f"expected - or not, found {ast.unparse(node)!r}")

    def _parse_BoolOp(self, node: ast.BoolOp) -> ScopeFunction:
        *operands, last = [self.parse(value) for value in node.values]
        # The value of `or` is that of the first true operand, the value of `and` that of the first false one.
        decides = bool if isinstance(node.op, ast.Or) else lambda value: not _truth(value)

        def boolean(scope: Scope) -> Any:
            for operand in operands:
                result = operand(scope)
                if decides(result):
                    return result
            return last(scope)

        return boolean

    def _parse_IfExp(self, node: ast.IfExp) -> ScopeFunction:
        condition, chosen, other = map(self.parse, (node.test, node.body, node.orelse))

        def choose(scope: Scope) -> Any:
            holds = condition(scope)
            if amounts.depends_on_metrics(holds):  # the condition holds in some minutes only
                values = holds, chosen(scope), other(scope)
                return None if None in values else _call(amounts.choose, values)
            return chosen(scope) if holds else other(scope)

        return choose

    def _parse_Compare(self, node: ast.Compare) -> ScopeFunction:
        operands = [self.parse(operand) for operand in (node.left, *node.comparators)]
        operators = [type(op) for op in node.ops]
        if not COMPARISONS.keys() >= {*operators}:
            raise ExpressionError(f"expected a comparison, found {ast.unparse(node)!r}")
        comparisons = [COMPARISONS[comparison] for comparison in operators]

        def compare(scope: Scope) -> Any:
            values = [operand(scope) for operand in operands]
            pairs = zip(comparisons, values, values[1:], strict=False)
            results = [_call(comparison, (left, right)) for comparison, left, right in pairs]
            return results[0] if len(results) == 1 else all(map(_truth, results))

        return compare

    def _parse_GeneratorExp(self, node: ast.GeneratorExp) -> ScopeFunction:
        generator = node.generators[0]
        names = (generator.target, generator.iter)
        is_simple = len(node.generators) == 1 and not generator.is_async
        if not (is_simple and all(isinstance(name, ast.Name) for name in names)):
            raise ExpressionError(f"expected one `for NAME in KIND`, found {ast.unparse(node)!r}")
        variable, kind = map(ast.unparse, names)
        if not self._variables.keys().isdisjoint((variable, kind)):
            expected = "a variable with a name that is not in use yet, and a kind after `in`"
            raise ExpressionError(f"expected {expected}, found {ast.unparse(node)!r}")
        items = self.parse(generator.iter)
        self.list_names.add(kind)
        self._variables[variable] = kind
        conditions, element = [self.parse(condition) for condition in generator.ifs], self.parse(node.elt)
        del self._variables[variable]

        def generate(scope: Scope) -> list[Any] | None:
            resources = items(scope)
            if resources is None:
                return None
            scopes = [_WithVariable(scope, variable, item) for item in _call(_items, (resources,))]
            return [element(inner) for inner in scopes if all(_truth(holds(inner)) for holds in conditions)]

        return generate

    def _parse_Call(self, node: ast.Call) -> ScopeFunction:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords:
            known = ", ".join(sorted(FUNCTIONS))
            hint = suggestion(name, FUNCTIONS)
            raise ExpressionError(f"expected one of the functions {known}, found {ast.unparse(node)!r}{hint}")
        try:
            _signature(name).bind(*node.args)
        except TypeError as error:
            raise ExpressionError(f"{name}: {error}") from None
        if name == "count":
            self.list_names.update(argument.id for argument in node.args if isinstance(argument, ast.Name))
        return partial(_apply_function, name, [self.parse(argument) for argument in node.args])


@cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(FUNCTIONS[name])


def _apply(function: Callable[..., Any], operands: Iterable[ScopeFunction], scope: Scope) -> Any:
    """Return the function's value for the operands; None if one of them is None."""
    values = [operand(scope) for operand in operands]
    return None if None in values else _call(function, values)


def _apply_function(name: str, arguments: Iterable[ScopeFunction], scope: Scope) -> Any:
    """Return the function's value for the arguments; each function handles None itself."""
    return _call(FUNCTIONS[name], [argument(scope) for argument in arguments])


def _call(function: Callable[..., Any], values: Iterable[Any]) -> Any:
    """Call a function; return its value. Raises ExpressionError for values that it does not take."""
    try:
        return function(*values)
    except (TypeError, ValueError, ArithmeticError) as error:
        name = getattr(function, "__name__", "operation").strip("_")  # `_ceil` is `ceil` in an expression
        raise ExpressionError(f"{name}: {error}") from None


def _entry(table: Any, key: Any) -> Any:
    """Return an entry of a table; None if the table is unknown or lacks the entry."""
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise TypeError(f"expected a table, found {type(table).__name__}")
    return table.get(key)


def _items(items: Any) -> list[Any]:
    """Return a list unchanged. Raises TypeError for anything else."""
    if not isinstance(items, list):
        raise TypeError(f"expected a list, found {type(items).__name__}")
    return items


def _none_if_unknown(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, changed to return None if an argument is None."""

    @wraps(function)
    def none_for_none(*values: Any) -> Any:
        return None if None in values else function(*values)

    return none_for_none


def _negative(value: Any) -> Any:
    return amounts.multiply(value, -1)


def _count(items: Any) -> int:
    """Return the number of items of a list."""
    return len(_items(items))


def _ceil(value: float) -> int:
    """Return the lowest integer that is not below a number."""
    return math.ceil(value)


def _floor(value: float) -> int:
    """Return the highest integer that is not above a number."""
    return math.floor(value)


def _starts_with(text: str, start: str) -> bool:
    """Return whether a text starts with another text."""
    return str.startswith(text, start)


def _ends_with(text: str, end: str) -> bool:
    """Return whether a text ends with another text."""
    return str.endswith(text, end)


def _largest_group(items: list[Any]) -> int | None:
    """Return how often the most frequent item of a list is in it; None if an item is unknown."""
    if None in _items(items):
        return None
    return max(Counter(items).values(), default=0)


def _occurrences(items: list[Any], item: Any) -> int:
    """Return how often an item is in a list."""
    return _items(items).count(item)


def epoch(time: Any) -> float | None:
    """Return a time as epoch seconds. time: a datetime of botocore, a text in ISO 8601, or epoch seconds.

    Raises TypeError or ValueError for anything else, ArithmeticError for a time out of range.
    """
    if isinstance(time, datetime | str):
        return epoch_seconds(time)
    seconds = number(time)
    if seconds is None:
        raise TypeError(f"expected a time, found {type(time).__name__}")
    return seconds


def number(text: str | float) -> float | None:
    """Return a text or number as a finite float; None if it is no finite number."""
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _ordering(
    compare: Callable[[Any, Any], bool], compare_metrics: Callable[[Any, Any], Usage]
) -> Callable[[Any, Any], Any]:
    """Return a comparison that is false if a value is unknown, because None has no order.

    compare_metrics: the comparison where a value is a metric; its result is 1 in each minute in which it
    holds.
    """

    @wraps(compare)
    def ordered(left: Any, right: Any) -> Any:
        if left is None or right is None:
            return False
        if amounts.depends_on_metrics(left) or amounts.depends_on_metrics(right):
            return compare_metrics(left, right)
        return compare(left, right)

    return ordered


def _comparison_of_facts(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return a comparison that refuses metrics, whose values are unknown when an expression is evaluated."""

    @wraps(compare)
    def of_facts(left: Any, right: Any) -> bool:
        if amounts.depends_on_metrics(left) or amounts.depends_on_metrics(right):
            raise TypeError("expected facts, found a metric")
        return compare(left, right)

    return of_facts


def _truth(value: Any) -> bool:
    """Return whether a condition holds. Raises ExpressionError for a metric, which has many values."""
    if amounts.depends_on_metrics(value):
        raise ExpressionError("expected a condition over facts, found a metric")
    return bool(value)


def _contains(item: Any, container: Any) -> bool:
    """Return whether a list or text contains an item; false if the item or the container is unknown."""
    if amounts.depends_on_metrics(item):
        raise TypeError("expected a fact, found a metric")
    return item is not None and container is not None and item in container


ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: amounts.add,
    ast.Sub: amounts.subtract,
    ast.Mult: amounts.multiply,
    ast.Div: amounts.divide,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: _comparison_of_facts(operator.eq),
    ast.NotEq: _comparison_of_facts(operator.ne),
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: _ordering(operator.lt, lambda left, right: amounts.is_above(right, left)),
    ast.LtE: _ordering(operator.le, amounts.is_not_above),
    ast.Gt: _ordering(operator.gt, amounts.is_above),
    ast.GtE: _ordering(operator.ge, lambda left, right: amounts.is_not_above(right, left)),
    ast.In: _contains,
    ast.NotIn: lambda item, container: not _contains(item, container),
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "rate": _none_if_unknown(amounts.rate),
    "rise": _none_if_unknown(amounts.rise),
    "sum": amounts.sum_of,
    "max": amounts.highest_of,
    "min": amounts.lowest_of,
    "count": _none_if_unknown(_count),
    "number": number,
    "epoch": _none_if_unknown(epoch),
    "largest_group": _none_if_unknown(_largest_group),
    "occurrences": _none_if_unknown(_occurrences),
    "ceil": _none_if_unknown(_ceil),
    "floor": _none_if_unknown(_floor),
    "starts_with": _none_if_unknown(_starts_with),
    "ends_with": _none_if_unknown(_ends_with),
}
