"""The expressions of declared services: a small part of Python's, over facts of resources and metrics.

An expression computes a number, a text, a truth value or, where it names a metric, a `Usage`. A fact that AWS
does not return is None, and so is whatever is computed from it.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from collectors import amounts

MAX_LENGTH = 1000  # characters of an expression

Evaluator = Callable[["Scope"], Any]


class Scope(Protocol):
    """What the names of an expression stand for."""

    def lookup(self, name: str) -> Any:
        """Return a fact, a resource, a list of resources, a table or a metric."""
        ...


class ExpressionError(ValueError):
    """An expression that cannot be read, or that combines values which do not go together."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    names: those that it takes from its scope. attributes: the facts of other resources, as kind and fact.
    """

    text: str
    names: frozenset[str]
    attributes: frozenset[tuple[str, str]]
    _evaluate: Evaluator

    def evaluate(self, scope: Scope) -> Any:
        """Return the value in a scope. Raises ExpressionError for values that do not go together."""
        return self._evaluate(scope)


def parse_expression(text: str) -> Expression:
    """Parse an expression. Raises ExpressionError, with the part that is not understood."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected at most {MAX_LENGTH:,} characters, found {len(text):,}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"expected an expression, found {text!r}") from None
    parser = _Parser()
    evaluate = parser.parse(tree)
    return Expression(text, frozenset(parser.names), frozenset(parser.attributes), evaluate)


@dataclass(frozen=True, slots=True)
class _WithVariable:
    """A scope with one more name, the variable of `x.size for x in volumes`."""

    outer: Scope
    name: str
    value: Any

    def lookup(self, name: str) -> Any:
        return self.value if name == self.name else self.outer.lookup(name)


class _Parser:
    """Turns the nodes of a syntax tree into functions of the scope, and collects the names in it."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str]] = set()
        self._variables: dict[str, str] = {}  # the kind that each one runs over

    def parse(self, node: ast.expr) -> Evaluator:
        method = getattr(self, f"_parse_{type(node).__name__}", None)
        if method is None:
            raise ExpressionError(f"expected a simple expression, found {ast.unparse(node)!r}")
        evaluate: Evaluator = method(node)
        return evaluate

    def _parse_Constant(self, node: ast.Constant) -> Evaluator:
        if node.value is not None and not isinstance(node.value, int | float | str):
            raise ExpressionError(f"expected a number or a text, found {ast.unparse(node)!r}")
        return lambda _: node.value

    def _parse_Name(self, node: ast.Name) -> Evaluator:
        if node.id not in self._variables:
            self.names.add(node.id)
        return lambda scope: scope.lookup(node.id)

    def _parse_Attribute(self, node: ast.Attribute) -> Evaluator:
        if not isinstance(node.value, ast.Name):
            raise ExpressionError(f"expected KIND.FACT, found {ast.unparse(node)!r}")
        owner, name = self.parse(node.value), node.attr
        self.attributes.add((self._variables.get(node.value.id, node.value.id), name))

        def attribute(scope: Scope) -> Any:
            value = owner(scope)
            return None if value is None else value.fact(name)

        return attribute

    def _parse_List(self, node: ast.List | ast.Tuple) -> Evaluator:
        items = [self.parse(item) for item in node.elts]
        return lambda scope: [item(scope) for item in items]

    _parse_Tuple = _parse_List

    def _parse_Subscript(self, node: ast.Subscript) -> Evaluator:
        table, key = self.parse(node.value), self.parse(node.slice)
        return lambda scope: table(scope).get(key(scope))

    def _parse_BinOp(self, node: ast.BinOp) -> Evaluator:
        left, right = self.parse(node.left), self.parse(node.right)
        if type(node.op) not in ARITHMETIC:
            raise ExpressionError(f"expected +, -, * or /, found {ast.unparse(node)!r}")
        return partial(_apply, ARITHMETIC[type(node.op)], (left, right))

    def _parse_UnaryOp(self, node: ast.UnaryOp) -> Evaluator:
        operand = self.parse(node.operand)
        if isinstance(node.op, ast.Not):
            return lambda scope: not operand(scope)
        if isinstance(node.op, ast.USub):
            return partial(_apply, operator.neg, (operand,))
        raise ExpressionError(f"expected - or not, found {ast.unparse(node)!r}")

    def _parse_BoolOp(self, node: ast.BoolOp) -> Evaluator:
        values = [self.parse(value) for value in node.values]
        ends_at = isinstance(node.op, ast.Or)

        def boolean(scope: Scope) -> Any:
            result = None
            for value in values:
                result = value(scope)
                if bool(result) is ends_at:
                    break
            return result

        return boolean

    def _parse_IfExp(self, node: ast.IfExp) -> Evaluator:
        condition, chosen, other = map(self.parse, (node.test, node.body, node.orelse))
        return lambda scope: chosen(scope) if condition(scope) else other(scope)

    def _parse_Compare(self, node: ast.Compare) -> Evaluator:
        operands = [self.parse(operand) for operand in (node.left, *node.comparators)]
        kinds = [COMPARISONS.get(type(op)) for op in node.ops]
        if None in kinds:
            raise ExpressionError(f"expected a comparison, found {ast.unparse(node)!r}")
        comparisons = [kind for kind in kinds if kind]

        def compare(scope: Scope) -> bool:
            values = [operand(scope) for operand in operands]
            pairs = zip(comparisons, values, values[1:], strict=False)
            return all(comparison(left, right) for comparison, left, right in pairs)

        return compare

    def _parse_GeneratorExp(self, node: ast.GeneratorExp) -> Evaluator:
        generator = node.generators[0]
        names = (generator.target, generator.iter)
        if len(node.generators) != 1 or not all(isinstance(name, ast.Name) for name in names):
            raise ExpressionError(f"expected one `for NAME in KIND`, found {ast.unparse(node)!r}")
        variable, kind = map(ast.unparse, names)
        items = self.parse(generator.iter)
        self._variables[variable] = kind
        conditions, element = [self.parse(condition) for condition in generator.ifs], self.parse(node.elt)
        del self._variables[variable]

        def generate(scope: Scope) -> list[Any]:
            scopes = (_WithVariable(scope, variable, item) for item in items(scope) or ())
            return [element(one) for one in scopes if all(condition(one) for condition in conditions)]

        return generate

    def _parse_Call(self, node: ast.Call) -> Evaluator:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS or node.keywords:
            known = ", ".join(sorted(FUNCTIONS))
            raise ExpressionError(f"expected one of the functions {known}, found {ast.unparse(node)!r}")
        return partial(_apply_function, name, [self.parse(argument) for argument in node.args])


def _apply(function: Callable[..., Any], operands: Iterable[Evaluator], scope: Scope) -> Any:
    """Return the function's value for the operands; None if one of them is None."""
    values = [operand(scope) for operand in operands]
    return None if None in values else _checked(function, values)


def _apply_function(name: str, arguments: Iterable[Evaluator], scope: Scope) -> Any:
    return _checked(FUNCTIONS[name], [argument(scope) for argument in arguments])


def _checked(function: Callable[..., Any], values: list[Any]) -> Any:
    try:
        return function(*values)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ExpressionError(f"{getattr(function, '__name__', 'operation')}: {error}") from None


def _count(items: Any) -> int | None:
    return None if items is None else len(items)


def _known(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as one that returns None for None."""

    def of_known(*values: Any) -> Any:
        return None if None in values else function(*values)

    of_known.__name__ = function.__name__
    return of_known


def number(text: str | float) -> float | None:
    """Return a text as a finite number; None if it is none."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Return an order that is false where a value is unknown."""
    return lambda left, right: left is not None and right is not None and compare(left, right)


def _contains(item: Any, container: Any) -> bool:
    return container is not None and item in container


ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: amounts.add,
    ast.Sub: amounts.subtract,
    ast.Mult: amounts.multiply,
    ast.Div: amounts.divide,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _contains,
    ast.NotIn: lambda item, container: not _contains(item, container),
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "rate": _known(amounts.rate),
    "rise": _known(amounts.rise),
    "sum": amounts.sum_of,
    "max": amounts.highest_of,
    "min": amounts.lowest_of,
    "count": _count,
    "number": number,
    "ceil": _known(math.ceil),
    "floor": _known(math.floor),
    "starts_with": _known(str.startswith),
    "ends_with": _known(str.endswith),
}
