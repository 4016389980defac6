"""The key `path_files`, which names files that declare request paths."""

from pathlib import Path

import pytest

from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

PATH_FILE = "paths: [{name: one, hops: [{service: sqs, resource: jobs}]}]"


def path_names(folder: Path, text: str) -> list[str]:
    """Return the names of the request paths that a configuration in a folder loads."""
    config = parse_config(text.encode(), "headroom.yaml", ConfigContext({}, folder, REGISTRY))
    return [path.name for path in config.request_paths]


def problems(folder: Path, text: str) -> list[str]:
    """Return the problems of a configuration in a folder."""
    with pytest.raises(ConfigError) as error:
        path_names(folder, text)
    return error.value.problems


def test_file_names_are_relative_to_the_configuration_and_a_pattern_matches_several_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "paths.d").mkdir()
    (tmp_path / "one.yaml").write_text(PATH_FILE)
    for name in ("two", "three"):
        (tmp_path / "paths.d" / f"{name}.yaml").write_text(PATH_FILE.replace("one", name))
    names = path_names(tmp_path, "path_files: [one.yaml, paths.d/*.yaml, ./one.yaml, none/*.yaml]")
    assert names == ["one", "three", "two"]
    assert path_names(tmp_path, "path_files: []") == []


def test_problems_of_all_files_and_the_configuration_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("paths:\n  - name: a\n    hops: [{service: sqs}]\n")
    (tmp_path / "b.yaml").write_text("paths:\n  - {name: b}\n")
    found = problems(
        tmp_path,
        "path_files: [a.yaml, b.yaml, absent.yaml]\nbands: [{service: sqs, low: 0.9, high: 0.1}]\n",
    )
    assert [problem.replace(f"{tmp_path}/", "") for problem in found[:3]] == [
        "headroom.yaml: path_files[0]: a.yaml:3: paths.0.hops.0.resource: missing: the SQS queue that the "
        "requests go through",
        "headroom.yaml: path_files[1]: b.yaml:2: paths.0.hops: missing",
        "headroom.yaml: path_files[2]: absent.yaml: cannot be read: No such file or directory",
    ]
    assert any("bands[0]" in problem for problem in found[3:])


def test_the_same_path_name_in_two_files_is_a_problem(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(PATH_FILE)
    (problem,) = problems(tmp_path, "path_files: ['*.yaml']")
    assert "expected a name that no path of" in problem and "found 'one' again" in problem
