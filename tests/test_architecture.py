"""Checks the architecture: allowed imports, names, docstrings, and the sizes of files and functions.

The rules are functions of `tests.architecture`. Each is tested twice: the sources satisfy it, and it finds
a violation that is written to a temporary tree.
"""

import re
from importlib import import_module
from pathlib import Path

import pytest

import collectors
from collectors.base import Collector
from tests.architecture import (
    Source,
    aliases_named_like_classes,
    cycles,
    drawn_packages,
    drawn_parents,
    exception_packages,
    exception_parents,
    forbidden_imports,
    foreign_assignments,
    import_graph,
    long_files,
    long_functions,
    misnamed_constants,
    misnamed_exceptions,
    misworded_docstrings,
    patches,
    private_names,
    repeated_aliases,
    repeated_class_names,
    repeated_constants,
    sources,
    undocumented,
    unlisted_packages,
    unused_permissions,
)
from tests.registries import REGISTRY

ROOT = Path(__file__).parents[1]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 45

# The packages that each package of monitor/, collectors and rules may import: only those below it.
MAY_IMPORT = {
    package: frozenset(allowed.split())
    for package, allowed in {
        "__main__": "cli",
        "cli": "access alerting api app aws collectors config dashboards demo lib notifiers outbound quotas "
        "render report rules schema stream top topology",
        "demo": "app aws collectors config fleet http lib notifiers report rules server stream",
        "app": "access alerting api aws collectors config cost coverage exposition fleet forecast http lib "
        "planning polling resources schema server stream topology web what_if",
        "resources": "alerting aws collectors config fleet forecast lib push tracing",
        "server": "api http lib stream web",
        "top": "alerting api collectors fleet lib render rules",
        "report": "alerting aws collectors config cost fleet forecast lib lookback planning polling render "
        "rules schema sizing topology",
        "dashboards": "collectors fleet lib render rules runbooks",
        "web": "access alerting api aws collectors cost coverage fleet http lib lookback notifiers render "
        "rules runbooks schema sizing topology what_if",
        "forecast": "alerting aws fleet lib lookback notifiers polling rules sizing what_if",
        "polling": "aws collectors config cost fleet lib planning rules schema",
        "api": "access alerting aws collectors cost coverage exposition fleet http lib lookback notifiers "
        "planning rules schema sizing stream topology what_if",
        "what_if": "alerting collectors fleet lib render rules",
        "coverage": "aws collectors cost fleet lib rules",
        "quotas": "aws collectors lib rules schema",
        "lookback": "alerting fleet notifiers rules",
        "config": "access alerting aws collectors cost lib notifiers planning push rules schema stream "
        "tracing",
        "alerting": "aws collectors fleet lib notifiers outbound planning rules schema",
        "push": "exposition fleet lib outbound rules schema",
        "access": "http lib schema",
        "notifiers": "aws collectors fleet lib outbound rules schema",
        "planning": "cost fleet lib rules schema",
        "topology": "aws collectors fleet lib rules",
        "stream": "aws collectors cost fleet lib rules schema",
        "tracing": "lib schema",
        "outbound": "aws lib",
        "exposition": "fleet http lib rules",
        "sizing": "collectors fleet render rules",
        "cost": "aws collectors fleet lib rules schema",
        "runbooks": "collectors lib render rules",
        "render": "fleet lib rules",
        "aws": "collectors lib rules schema",
        "fleet": "collectors lib rules",
        "schema": "collectors lib rules",
        "http": "lib",
        "collectors": "lib rules",
        "lib": "",
        "rules": "",
    }.items()
}


@pytest.fixture(scope="module")
def project() -> list[Source]:
    """The sources of this repository, parsed once, and only by a process that runs these tests."""
    return sources(ROOT)


@pytest.fixture(scope="module")
def tests() -> list[Source]:
    """The sources of the tests and benchmarks of this repository."""
    return sources(ROOT, ("tests", "bench"))


def test_every_import_that_the_table_allows_exists(project: list[Source]) -> None:
    assert unused_permissions(project, MAY_IMPORT) == []


def test_packages_import_what_the_table_allows_and_the_table_knows_every_package(
    project: list[Source],
) -> None:
    assert forbidden_imports(project, MAY_IMPORT) == []
    assert unlisted_packages(project, MAY_IMPORT) == []
    assert cycles(import_graph(project)) == []


def test_the_table_allows_only_imports_of_packages_below() -> None:
    order = list(MAY_IMPORT)
    for place, package in enumerate(order):
        assert MAY_IMPORT[package] <= set(order[place + 1 :]), package


def test_no_class_name_is_defined_twice(project: list[Source]) -> None:
    assert repeated_class_names(project) == []


def test_no_alias_has_the_name_of_a_class(project: list[Source]) -> None:
    assert aliases_named_like_classes(project) == []


def test_no_alias_is_defined_in_two_files(project: list[Source]) -> None:
    assert repeated_aliases(project) == []


def test_no_public_constant_is_declared_twice_with_one_value(project: list[Source]) -> None:
    assert repeated_constants(project) == []


def test_exceptions_end_in_error_and_share_one_hierarchy(project: list[Source]) -> None:
    assert misnamed_exceptions(project) == []


def test_the_tree_in_the_docstring_of_errors_draws_the_hierarchy(project: list[Source]) -> None:
    (root,) = (source for source in project if source.path == "monitor/lib/errors.py")
    assert drawn_parents(root.text) == exception_parents(project)
    assert drawn_packages(root.text).items() <= exception_packages(project).items()


def test_constants_follow_the_convention(project: list[Source], tests: list[Source]) -> None:
    assert misnamed_constants([*project, *tests]) == []


def test_no_package_assigns_attributes_of_another(project: list[Source]) -> None:
    assert foreign_assignments(project) == []


def test_public_names_have_docstrings(project: list[Source]) -> None:
    assert undocumented(project) == []


def test_no_docstring_begins_as_a_question_or_in_mid_sentence(
    project: list[Source], tests: list[Source]
) -> None:
    assert misworded_docstrings([*project, *tests]) == []


def test_files_and_functions_are_short(project: list[Source]) -> None:
    assert long_files(project, MAX_FILE_LINES) == []
    assert long_functions(project, MAX_FUNCTION_LINES) == []


def test_no_test_reaches_into_private_names(tests: list[Source]) -> None:
    assert private_names(tests) == []


def test_no_test_patches_the_code(tests: list[Source]) -> None:
    assert patches(tests) == []


# Each of the following tests finds a violation of a rule.


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files by their paths within a folder."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def forbidden_imports_in_fleet(folder: Path, text: str) -> list[str]:
    """Return the forbidden imports of a file with this text in the package `fleet`."""
    write(folder, {"monitor/fleet/new.py": text})
    return forbidden_imports(sources(folder), MAY_IMPORT)


@pytest.mark.parametrize(
    "text",
    [
        "import monitor.web.router",
        "from monitor import web",
        "from monitor.web.router import web_router",
        "from ..web import router",
        "from .. import web",
        "def late():\n    from monitor.web import router",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from monitor.web.router import web_router",
        "class Lazy:\n    def __getattr__(self, name):\n        import monitor.web.router as router",
        "import importlib\nrouter = importlib.import_module('monitor.web.router')",
        "from importlib import import_module\nrouter = import_module('monitor.web.router')",
    ],
)
def test_an_upward_import_is_found_in_any_form(tmp_path: Path, text: str) -> None:
    (found,) = forbidden_imports_in_fleet(tmp_path, text)
    assert found.startswith("monitor/fleet/new.py:") and found.endswith(" imports web")


def test_downward_and_own_imports_are_allowed(tmp_path: Path) -> None:
    text = "import numpy\nfrom monitor.lib import text\nfrom . import key\nfrom .key import Key"
    assert forbidden_imports_in_fleet(tmp_path, text) == []


def test_rules_import_nothing_of_monitor_and_collectors_import_only_lib_of_it(tmp_path: Path) -> None:
    texts = {"rules/new.py": "import monitor.lib.text", "collectors/new.py": "from monitor import aws, lib"}
    write(tmp_path, texts)
    assert forbidden_imports(sources(tmp_path), MAY_IMPORT) == [
        "collectors/new.py:1 imports aws",
        "rules/new.py:1 imports lib",
    ]


def test_a_package_that_the_table_does_not_know_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"monitor/cluster/node.py": "import monitor.lib.text"})
    assert "cluster" in unlisted_packages(sources(tmp_path), MAY_IMPORT)
    assert forbidden_imports(sources(tmp_path), MAY_IMPORT) == ["monitor/cluster/node.py:1 imports lib"]


def test_a_module_directly_in_monitor_counts_as_a_package(tmp_path: Path) -> None:
    write(tmp_path, {"monitor/helpers.py": "", "monitor/__init__.py": ""})
    assert "helpers" in unlisted_packages(sources(tmp_path), MAY_IMPORT)
    assert "monitor" not in unlisted_packages(sources(tmp_path), MAY_IMPORT)


def test_a_permission_that_is_not_used_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"monitor/http/new.py": "import rules.band", "rules/band.py": ""})
    table = {"http": frozenset({"rules", "lib"}), "rules": frozenset[str]()}
    assert unused_permissions(sources(tmp_path), table) == ["http -> lib"]


def test_a_cycle_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "monitor/api/one.py": "import monitor.web.two",
            "monitor/web/two.py": "def late():\n    import monitor.top.three",
            "monitor/top/three.py": "from monitor.api import one",
            "monitor/cli/four.py": "from monitor.api import one",
        },
    )
    assert cycles(import_graph(sources(tmp_path))) == ["api", "top", "web"]


def test_a_class_name_that_is_defined_twice_is_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "monitor/api/one.py": "class State: ...\nclass Page: ...",
            "collectors/two.py": "def made():\n    class State: ...",
        },
    )
    assert repeated_class_names(sources(tmp_path)) == ["State: collectors/two.py:2 monitor/api/one.py:1"]


@pytest.mark.parametrize(
    "text",
    [
        "State = int | str",
        "State: TypeAlias = int | str",
        "State = TypeVar('State')",
        "State = NewType('State', int)",
        "Other = State = Annotated[int, 1]",
        "if TYPE_CHECKING:\n    State = int\nelse:\n    Other = str",
        "try:\n    import numpy\nexcept ImportError:\n    State = str",
    ],
)
def test_an_alias_with_the_name_of_a_class_is_found(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"monitor/api/one.py": "def made():\n    class State: ...", "rules/two.py": text})
    (found,) = aliases_named_like_classes(sources(tmp_path))
    assert re.fullmatch(r"rules/two\.py:\d State, a class at monitor/api/one\.py:2", found)


@pytest.mark.parametrize(
    "text",
    [
        "def made():\n    State = int",
        "class Page:\n    State = int",
        "STATE = S = state = 1",
        "made.State = int",
    ],
)
def test_names_that_are_no_module_level_aliases_may_be_like_those_of_classes(
    tmp_path: Path, text: str
) -> None:
    texts = {"monitor/api/one.py": "class State: ...\nclass STATE: ...\nclass S: ...", "rules/two.py": text}
    write(tmp_path, texts)
    assert aliases_named_like_classes(sources(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Rows = dict[str, int]", "Rows = list[str]"),
        ("Rows = list[str]", "Rows = list[str]"),
        ("Rows = NewType('Rows', int)", "Rows = NewType('Rows', int)"),
        ("Rows = TypeVar('Rows')", "Rows = list[str]"),
        ("Rows = TypeVar('Rows')", "Rows = TypeVar('Rows', bound=Model)"),
    ],
)
def test_an_alias_that_two_files_define_is_found(tmp_path: Path, text: str, other: str) -> None:
    write(tmp_path, {"monitor/api/one.py": text, "rules/two.py": f"import typing\n{other}"})
    assert repeated_aliases(sources(tmp_path)) == ["Rows: monitor/api/one.py:1 rules/two.py:2"]


def test_a_constant_that_two_files_declare_with_one_value_is_found(tmp_path: Path) -> None:
    one = "WILDCARDS: Final = frozenset('*?')\nMAX_ROWS = 200\nFIRST, SECOND = 'a', 'b'\n_OWN = 'own'"
    two = "WILDCARDS = frozenset('*?')\nMAX_ROWS = 200\nSECOND = 'b'\nFIRST = 'c'\n_OWN = 'own'"
    formats = "def table(): ...\nFORMATS = {'table': table}"
    files = {"monitor/api/one.py": one, "rules/two.py": two}
    write(tmp_path, files | {"rules/three.py": formats, "rules/four.py": formats})
    assert repeated_constants(sources(tmp_path)) == [
        "SECOND: monitor/api/one.py:3 rules/two.py:3",
        "WILDCARDS: monitor/api/one.py:1 rules/two.py:1",
    ]


def test_equal_type_variables_and_alternatives_in_one_file_are_allowed(tmp_path: Path) -> None:
    alternatives = "if TYPE_CHECKING:\n    Row = int\nelse:\n    Row = made()"
    variable = "Item = TypeVar('Item', bound=Model)"
    write(tmp_path, {"monitor/api/one.py": f"{variable}\n{alternatives}", "rules/two.py": variable})
    assert repeated_aliases(sources(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class Refused(HeadroomError): ...", ["Refused lacks the suffix Error"]),
        ("class Refused(ValueError, HeadroomError): ...", ["Refused lacks the suffix Error"]),
        ("class LostError(Exception): ...", ["LostError does not derive from HeadroomError"]),
        ("class LostError(sqlite3.DatabaseError): ...", ["LostError does not derive from HeadroomError"]),
        ("class Stop(KeyboardInterrupt): ...", ["lacks the suffix", "does not derive"]),
        (
            "class BaseLostError(HeadroomError): ...\nclass Lost(BaseLostError): ...",
            ["Lost lacks the suffix Error"],
        ),
        ("class LostError(HeadroomError, OSError): ...", []),
        ("class Error(Model): ...", []),
    ],
)
def test_a_misnamed_exception_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    write(tmp_path, {"monitor/lib/errors.py": f"class HeadroomError(Exception): ...\n{text}"})
    violations = misnamed_exceptions(sources(tmp_path))
    assert len(violations) == len(found)
    assert all(part in violation for part, violation in zip(found, violations, strict=True))


def test_parents_of_exceptions_are_read_from_code_and_from_a_drawn_tree(tmp_path: Path) -> None:
    bases = {"HeadroomError": "Exception", "ApiError": "HeadroomError", "LostError": "OSError, ApiError"}
    text = "\n".join(f"class {name}({base}): ..." for name, base in bases.items())
    write(tmp_path, {"monitor/lib/errors.py": text})
    parents = {"ApiError": "HeadroomError", "LostError": "ApiError"}
    assert exception_parents(sources(tmp_path)) == parents
    drawn = "HeadroomError\n├── ApiError     said\n│   └── LostError\n└── OtherError"
    assert drawn_parents(drawn) == parents | {"OtherError": "HeadroomError"}


@pytest.mark.parametrize(
    "text",
    [
        "LONGEST = 3",
        "MOST_FIELDS: int = 3",
        "_LEAST, OTHER = 1, 2",
        "class Reader:\n    LARGEST_BODY = 3",
        "PATIENCE: Final = 3.0",
        "SHORTEST = BREATH = 3",
    ],
)
def test_a_misnamed_constant_is_found(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"monitor/lib/new.py": text})
    assert misnamed_constants(sources(tmp_path))


def test_other_constants_are_allowed(tmp_path: Path) -> None:
    text = "MAX_FIELDS, MIN_BYTES, READ_TIMEOUT, POLL_INTERVAL, ALMOST = 1, 2, 3, 4, 5\nmost = 3"
    write(tmp_path, {"monitor/lib/new.py": text})
    assert misnamed_constants(sources(tmp_path)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app.reader.interval = 3", ["app.reader.interval"]),
        ("def late(reader):\n    reader.interval += 3", ["reader.interval"]),
        ("del reader.lines", ["reader.lines"]),
        ("reader.set_interval(3)\nother.unknown = 3", []),
        ("class Own:\n    interval: int = 0\nown.interval = 3", []),
        ("class Own:\n    def __init__(self):\n        self.lines = []", []),
    ],
)
def test_an_assignment_to_an_attribute_of_another_package_is_found(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    reader = "class Reader:\n    interval: int = 0\n    def __init__(self):\n        self.lines = []"
    write(tmp_path, {"monitor/polling/reader.py": reader, "monitor/app.py": text})
    violations = foreign_assignments(sources(tmp_path))
    assert [violation.partition(" ")[2] for violation in violations] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = 1", [":1"]),
        ('"""Doc."""\ndef read(): ...', [":2 read"]),
        ('"""Doc."""\nclass Reader:\n    def __init__(self): ...', [":2 Reader"]),
        ('"""Doc."""\nclass Reader:\n    """Doc."""\n    @property\n    def size(self): ...', [":5 size"]),
        ('"""Doc."""\nasync def read():\n    def inner(): ...', [":2 read"]),
        ('"""Doc."""\ndef _read(): ...\nclass _Reader:\n    def read(self): ...', []),
        ('"""Doc."""\nclass _Base:\n    def read(self):\n        """Doc."""', []),
        ('"""Doc."""\nimport ast\nclass V(ast.NodeVisitor):\n    """Doc."""\n    def visit(self): ...', []),
        (
            '"""Doc."""\nclass A:\n    """Doc."""\n    def read(self):\n        """Doc."""\n'
            'class B(A):\n    """Doc."""\n    def read(self): ...\n    def write(self): ...',
            [":9 write"],
        ),
    ],
)
def test_a_public_name_without_docstring_is_found(tmp_path: Path, text: str, found: list[str]) -> None:
    write(tmp_path, {"monitor/lib/new.py": text})
    assert undocumented(sources(tmp_path)) == [f"monitor/lib/new.py{place}" for place in found]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"""What a stream says."""', 1),
        ('"""Doc."""\nclass Reader:\n    """How a stream is read."""', 2),
        ('"""Doc."""\ndef _is_open():\n    """Whether it is open."""', 2),
        ('"""Doc."""\nasync def read():\n    """Of the stream."""', 2),
    ],
)
def test_a_docstring_that_begins_as_a_question_is_found(tmp_path: Path, text: str, line: int) -> None:
    write(tmp_path, {"monitor/lib/new.py": text})
    (found,) = misworded_docstrings(sources(tmp_path))
    assert found.startswith(f"monitor/lib/new.py:{line} ")


def test_a_docstring_that_begins_with_a_verb_or_a_noun_is_allowed(tmp_path: Path) -> None:
    write(tmp_path, {"rules/new.py": '"""Whereabouts."""\ndef read():\n    """Return what is there."""'})
    assert misworded_docstrings(sources(tmp_path)) == []


def test_a_long_file_and_a_long_function_are_found(tmp_path: Path) -> None:
    write(tmp_path, {"rules/new.py": "def long():\n" + "    pass\n" * 4})
    assert long_files(sources(tmp_path), 4) == ["rules/new.py"]
    assert long_functions(sources(tmp_path), 4) == ["rules/new.py:1 long"]
    assert long_files(sources(tmp_path), 5) == long_functions(sources(tmp_path), 5) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("app._connections.clear()", [":1 _connections"]),
        ("import monitor.app\nmonitor.app._PAUSE = 0.1", [":2 _PAUSE"]),
        ("from monitor.app import _read", [":1 _read"]),
        ("getattr(app, '_read')()", [":1 _read"]),
        ("vars(app)['_read']()", [":1 _read"]),
        ("class Odd(App):\n    def size(self): return self._size", [":2 _size"]),
        ("class Own:\n    def __init__(self, other):\n        self._n = other._n", [":3 _n"]),
        ("class Own:\n    def _read(self): ...\n    def read(self): return self._read()", []),
        ("class Own:\n    _n: int = 0\n    def size(self): return self._n", []),
        ("key._replace(name='x')\nos._exit(1)\napp.__class__", []),
    ],
)
def test_a_private_name_that_a_test_reaches_into_is_found(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    write(tmp_path, {"tests/test_new.py": text})
    assert private_names(sources(tmp_path, ("tests",))) == [f"tests/test_new.py{place}" for place in found]


@pytest.mark.parametrize(
    "text",
    [
        "monkeypatch.setattr(client, 'READ_TIMEOUT', 0.1)",
        "monkeypatch.delattr('monitor.app.App')",
        "import unittest.mock",
        "from unittest import mock",
        "from unittest.mock import patch",
    ],
)
def test_a_patch_is_found(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"tests/test_new.py": text, "tests/test_other.py": "monkeypatch.setenv('TZ', 'UTC')"})
    assert patches(sources(tmp_path, ("tests",))) == [f"tests/test_new.py:1 {text.partition('(')[0]}"]


def test_the_sources_are_those_of_this_repository(project: list[Source]) -> None:
    packages = {source.package for source in project}
    assert packages == {*MAY_IMPORT, "monitor"}
    own = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert {"monitor", "collectors", "rules"} <= own


def test_every_collector_is_registered_once() -> None:
    folder = Path(collectors.__path__[0])
    paths = [path.relative_to(folder.parent).with_suffix("") for path in folder.rglob("[a-z]*.py")]
    modules = [import_module(".".join(path.parts)) for path in paths]
    written = [vars(module)["COLLECTOR"].service for module in modules if "COLLECTOR" in vars(module)]
    declared = [path.stem for path in folder.glob("*.yaml")]
    assert sorted(REGISTRY.service_names) == sorted({*written, *declared})


@pytest.mark.parametrize("collector", REGISTRY.collectors, ids=lambda collector: collector.service)
def test_the_scans_of_a_collector_have_different_names(collector: Collector) -> None:
    names = [scan.__name__ for scan in collector.scans]
    assert len(set(names)) == len(names) > 0


@pytest.mark.parametrize("collector", REGISTRY.collectors, ids=lambda collector: collector.service)
def test_every_call_rate_is_at_least_one_call_per_second(collector: Collector) -> None:
    assert all(rate >= 1 for rate in collector.call_rates.values())
