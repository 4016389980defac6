"""The pages for contributors: their examples work exactly as they are written."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import PROCESS_TIMEOUT
from tests.test_readme import README

ROOT = Path(__file__).parents[1]
PAGES = ("docs/add-a-service.md", "docs/add-a-receiver.md", "docs/add-a-config-key.md")
COPIED = ("monitor", "collectors", "rules", "dashboards", "tests", "docs", "README.md", "pyproject.toml")
NAMED_FILE = re.compile(
    r"^`([\w/.-]+)`:\n\n((?:```(?:python|yaml|diff)\n.*?```\n\n)+)", re.DOTALL | re.MULTILINE
)
BLOCK = re.compile(r"```(python|yaml|diff)\n(.*?)```", re.DOTALL)

each_page = pytest.mark.parametrize("page", PAGES)


def blocks(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield the examples of a page: the file, its language (`diff` for a change), and the text."""
    for path, text in NAMED_FILE.findall((ROOT / page).read_text("utf-8")):
        yield from ((path, *block) for block in BLOCK.findall(text))


def with_diff(text: str, diff: str) -> str:
    """Apply a diff, whose lines of context and removed lines must occur exactly once."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(before) == 1, f"expected once:\n{before}"
    return text.replace(before, after)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, in which files may be changed."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, tmp_path / name)
    return tmp_path


@each_page
def test_files_that_the_page_names_exist_and_those_that_it_adds_do_not(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named_paths = set(re.findall(r"`((?:\w[\w.-]*/)+[\w-]+\.\w+)`", text))
    new_paths = {path for path, kind, _ in blocks(page) if kind != "diff"}
    assert named_paths > new_paths
    assert [path for path in sorted(named_paths) if (ROOT / path).exists() is (path in new_paths)] == []
    for names, path in re.findall(r"((?:`\w+`(?:, )?)+) in `([\w/]+\.py)`", text):
        unknown = [name for name in re.findall(r"\w+", names) if name not in (ROOT / path).read_text("utf-8")]
        assert not unknown, path
    assert f"]({page})" in README


@each_page
def test_the_example_of_the_page_passes_the_tests_it_names(page: str, project: Path) -> None:
    for path, kind, text in blocks(page):
        file = project / path
        file.write_text(with_diff(file.read_text("utf-8"), text) if kind == "diff" else text, "utf-8")
    (arguments,) = re.findall(r"```sh\n.venv/bin/pytest (.*)\n```", (ROOT / page).read_text("utf-8"))
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *shlex.split(arguments))
    environ = {**os.environ, "PYTHONPATH": str(project)}
    done = subprocess.run(
        command,
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PROCESS_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
