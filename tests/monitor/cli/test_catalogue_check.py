"""The command `headroom catalogue check`, which validates a user's own services and lists every problem.

A service has two files of one name: one in the folder `collectors`, and one in `rules`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.monitor.cli.invocation import headroom, write_config
from tests.own_services import OWN_FILES, write_own_files

VALID = "2 signals of 1 service are valid\n"
COLLECTORS, RULES = "catalogue.d/collectors/ours.yaml", "catalogue.d/rules/ours.yaml"


@pytest.fixture(autouse=True)
def folder(empty_folder: Path) -> Path:
    """The folder `catalogue.d` of a user's services, in the current folder."""
    write_own_files(empty_folder / "catalogue.d")
    return empty_folder / "catalogue.d"


def run_check(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of `headroom catalogue check`, on stdout or on stderr."""
    result = headroom("catalogue", "check", *arguments)
    assert not (result.stdout and result.stderr)
    return result.exit_code, result.output


def problems(*arguments: str) -> list[str]:
    """Run a check that must fail, and return the problems that it reports."""
    code, output = run_check(*arguments)
    assert code == 2
    return output.splitlines()


def change(old: str, new: str, file: str = COLLECTORS) -> None:
    """Replace `old`, which the file contains once, by `new`."""
    text = Path(file).read_text()
    assert text.count(old) == 1
    Path(file).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "arguments",
    [(), ("catalogue.d",), (COLLECTORS,), (RULES,), (COLLECTORS, RULES, "catalogue.d", "./catalogue.d/")],
)
def test_valid_files_are_counted(arguments: tuple[str, ...]) -> None:
    assert run_check(*arguments) == (0, VALID)


def test_a_file_in_the_current_folder_is_checked_with_its_second_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "rules")
    assert run_check("ours.yaml") == (0, VALID)
    change("kind: quota", "kind: quotta", "ours.yaml")
    (problem,) = problems("../collectors/ours.yaml")
    assert problem.startswith("../rules/ours.yaml:7: signals.topics.kind: expected ")


def test_the_default_folder_is_beside_the_configuration(empty_folder: Path) -> None:
    (empty_folder / "etc").mkdir()
    (empty_folder / "catalogue.d").rename(empty_folder / "etc" / "catalogue.d")
    file = write_config(empty_folder / "etc", "")
    assert run_check("--config", file) == (0, VALID)
    assert headroom("catalogue", "--config", file, "check").output == VALID
    (problem,) = problems()
    assert problem.startswith("There is no folder catalogue.d with services of your own: a service has")
    assert problems("nowhere") == ["nowhere: there is no such folder or file"]


def test_a_folder_without_services_is_said_to_have_none(empty_folder: Path) -> None:
    (empty_folder / "none.d").mkdir()
    code, output = run_check("none.d")
    assert code == 0
    assert output.startswith("No service in none.d: a service has the files collectors/NAME.yaml")


def test_a_file_is_checked_without_the_other_services_of_its_folder(folder: Path) -> None:
    (folder / "rules" / "others.yaml").write_text("a: [")
    assert run_check(COLLECTORS) == (0, VALID)
    assert problems("catalogue.d") == [
        "catalogue.d/rules/others.yaml:2: file: did not find expected node content (line 2, column 1)",
        "catalogue.d/rules/others.yaml:1: file: expected a second file catalogue.d/collectors/others.yaml, "
        "found none",
    ]


def test_a_problem_that_several_arguments_share_is_reported_once(folder: Path) -> None:
    change("usage: count(topic)", "usage: count(topics)")
    (problem,) = problems(COLLECTORS, RULES, "catalogue.d")
    assert problem == (
        f"{COLLECTORS}:9: signals.topics.usage: expected a fact, metric, kind or table, found topics; "
        "did you mean topic?"
    )
    assert problems(COLLECTORS, "absent")[1:] == ["absent: there is no such folder or file"]


def test_a_file_without_its_second_file_is_reported(folder: Path) -> None:
    (folder / "rules" / "ours.yaml").unlink()
    assert problems(COLLECTORS) == [f"{COLLECTORS}:1: file: expected a second file {RULES}, found none"]


def _make_kinds_cycle() -> None:
    """Declare two kinds of resources that are each other's parent."""
    change(
        "  topic:\n",
        "  policy:\n    parent: topic\n    list: {fact: policies}\n  topic:\n    parent: policy\n",
    )


def _redeclare_builtin_service() -> None:
    """Declare a service under the name of a built-in service."""
    text = OWN_FILES["rules"].replace("service: ours", "service: sqs")
    Path("catalogue.d/rules/sqs.yaml").write_text(text)
    Path("catalogue.d/collectors/sqs.yaml").write_text(OWN_FILES["collectors"].replace(": ours", ": sqs"))


@pytest.mark.parametrize(
    ("break_files", "expected"),
    [
        (_make_kinds_cycle, [f"{COLLECTORS}:8: resources.topic.parent: expected no cycle, found "]),
        (
            lambda: change("    id: TopicArn\n", "    values: {a: b, b: a}\n    id: TopicArn\n"),
            [f"{COLLECTORS}:6: resources.topic.values.a: expected a fact or table, found b"],
        ),
        (
            lambda: change("    unit: topics\n", "    unit: topics\n    covered_by: topics\n", RULES),
            [
                f"{RULES}:4: signals.topics: expected no cycle of signals that inhibit each other, "
                "found topics -> topics"
            ],
        ),
        (
            lambda: change("    usage: count(topic)", "    usge: count(topic)"),
            [f"{COLLECTORS}:9: signals.topics.usge: unknown key; did you mean usage?"],
        ),
        (
            lambda: change("    title: Topics\n", "    titel: Topics\n", RULES),
            [
                f"{RULES}:4: signals.topics.title: missing",
                f"{RULES}:5: signals.topics.titel: unknown key; did you mean title?",
            ],
        ),
        (
            _redeclare_builtin_service,
            [
                f"catalogue.d/{kind}/sqs.yaml:1: service: "
                "expected another name: it is that of a built-in service"
                for kind in ("collectors", "rules")
            ],
        ),
        (
            lambda: change("  published:\n    title", "  topics:\n    title", RULES),
            [f"{RULES}:12: signals.topics: given twice (line 12, column 3)"],
        ),
        (
            lambda: Path(RULES).write_bytes(b"\x89PNG\r\n\x1a\n"),
            [f"{RULES}:1: file: expected UTF-8, found the byte 0x89 (line 1)"],
        ),
        (
            lambda: Path(RULES).write_text("Our own signals: of our\nshop: all"),
            [f"{RULES}:1: Our own signals: unknown key", f"{RULES}:1: service: missing"],
        ),
    ],
    ids=[
        "kinds in a cycle",
        "values in a cycle",
        "signals in a cycle",
        "an unknown field of a declaration",
        "an unknown field of an entry",
        "a built-in service",
        "a signal given twice",
        "a PNG file",
        "a file without the keys of a service",
    ],
)
def test_a_problem_is_reported_with_its_file_and_line_and_key(
    break_files: Callable[[], None], expected: list[str]
) -> None:
    """expected: the begins of the problems, of which others may be reported, too."""
    break_files()
    reported = problems()
    for begin in expected:
        assert any(problem.startswith(begin) for problem in reported), (begin, reported)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("nowhere", "nowhere: there is no such folder or file"),
        ("own.yaml", "own.yaml:1: file: expected in a folder collectors or rules"),
        ("catalogue.d/rules/ours.yml", "catalogue.d/rules/ours.yml:1: file: expected the ending .yaml"),
    ],
)
def test_a_path_without_a_service_is_reported(path: str, expected: str, empty_folder: Path) -> None:
    write_config(empty_folder, "")
    (empty_folder / "catalogue.d" / "rules" / "ours.yml").touch()
    assert problems(path) == [expected]
