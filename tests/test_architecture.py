"""The arrow `monitor -> collectors -> rules`, the registry, and the size of things."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import collectors
from collectors import COLLECTORS
from collectors.base import Collector

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # of our own packages; the others are data
    "rules": {"rules"},
    "collectors": {"rules", "collectors"},
    "monitor": {"rules", "collectors", "monitor"},
}
OURS = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
LONGEST_FILE, LONGEST_FUNCTION = 300, 45

SOURCES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_source = pytest.mark.parametrize("path", SOURCES, ids=name_of)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            own = path.relative_to(ROOT).parts[0]
            yield own if node.level else (node.module or "").split(".")[0]


@each_source
def test_imports_follow_the_arrow(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    assert (set(imported(path)) & OURS) <= MAY_IMPORT[own]


@each_source
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE
    functions = [
        node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = [one.name for one in functions if (one.end_lineno or 0) - one.lineno + 1 > LONGEST_FUNCTION]
    assert long == []


def test_the_arrow_is_looked_for_where_the_code_is() -> None:
    assert set(MAY_IMPORT) <= OURS
    assert len(SOURCES) > len(MAY_IMPORT)


def test_every_collector_is_registered_once() -> None:
    modules = [
        import_module(f"collectors.{path.stem}") for path in Path(collectors.__path__[0]).glob("[a-z]*.py")
    ]
    declared = [vars(module)["COLLECTOR"] for module in modules if "COLLECTOR" in vars(module)]
    assert sorted(one.service for one in COLLECTORS) == sorted({one.service for one in declared})


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.service)
def test_the_parts_of_a_collector_have_names_of_their_own(collector: Collector) -> None:
    parts = [part.__name__ for part in collector.parts]
    assert len(set(parts)) == len(parts) > 0


@pytest.mark.parametrize("collector", COLLECTORS, ids=lambda collector: collector.service)
def test_a_rate_allows_one_call_a_second_at_least(collector: Collector) -> None:
    assert all(rate >= 1 for rate in collector.rates.values())
