"""A user's own services in `catalogue.d/`: reading them, and reporting problems with file and line."""

from pathlib import Path

import pytest

from collectors.builtin import builtin_registry, registry_with
from collectors.declaration_error import DeclarationError
from collectors.registry import NON_SERVICE_READS
from monitor.alerting.inhibit import BLIND_SIGNAL
from monitor.lib.anchors import OWN_RUNBOOK
from tests.own_services import OWN_FILES, write_own_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a declaration and its entry in the catalogue."""
    write_own_files(tmp_path)
    return tmp_path


def problems(folder: Path) -> list[str]:
    """Return the problems of a folder, with paths relative to the folder."""
    with pytest.raises(DeclarationError) as error:
        registry_with(folder)
    return [problem.replace(f"{folder}/", "") for problem in error.value.problems]


def change(file: Path, old: str, new: str) -> None:
    """Replace a text that occurs once in a file."""
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def test_own_services_follow_the_built_in_services(folder: Path) -> None:
    registry = registry_with(folder)
    assert registry.service_names == (*builtin_registry().service_names, "ours")
    assert registry.signal("ours", "topics").title == "Topics"


def test_without_a_folder_there_are_the_built_in_services(tmp_path: Path) -> None:
    assert registry_with(tmp_path / "none") is builtin_registry()


def test_problems_of_all_files_are_reported_at_once_with_their_lines(folder: Path) -> None:
    change(folder / "collectors" / "ours.yaml", "ListTopics", "ListTopic")
    change(folder / "rules" / "ours.yaml", "kind: quota", "kind: quotta")
    change(folder / "rules" / "ours.yaml", "unit: topics", "unit: topics/m")
    (folder / "collectors" / "others.yaml").write_text("")
    (folder / "rules" / "others.yaml").write_text("a: [")
    expected = [
        "collectors/others.yaml:1: file: expected a mapping of service, scope, ",
        "collectors/ours.yaml:5: resources.topic.list.call: no operation of sns ListTopic; did you mean ",
        "rules/others.yaml:2: file: did not find expected node content (line 2, column 1)",
        "rules/ours.yaml:6: signals.topics.unit: expected a unit ",
        "rules/ours.yaml:7: signals.topics.kind: expected 'quota', 'provisioned' or 'fixed', found 'quotta'",
    ]
    found = problems(folder)
    pairs = zip(found, expected, strict=True)
    assert [problem for problem, start in pairs if not problem.startswith(start)] == []


def test_a_saturated_state_that_only_one_file_declares_is_reported(folder: Path) -> None:
    usage = "usage: rate(NumberOfMessagesPublished)"
    change(
        folder / "collectors" / "ours.yaml", usage, f"{usage}\n    saturated: NumberOfMessagesPublished > 9"
    )
    place = "rules/ours.yaml:12: signals.published.saturation_is_state"
    assert problems(folder) == [f"{place}: expected true, as the declaration says"]


def test_a_rule_about_a_metric_that_the_declaration_lacks_is_reported(folder: Path) -> None:
    rule = (
        "bounded_by:\n  - namespace: AWS/SNS\n    metrics: [NumberOfMessages]\n    dimensions: [TopicName]\n"
        "    shared_dimensions: []\n    inequality: each is of one topic\n    source: https://docs.aws.amazon.com/sns\n"
    )
    change(folder / "rules" / "ours.yaml", "signals:", f"{rule}signals:")
    [problem] = problems(folder)
    assert "bounded_by.0.metrics: expected a metric that is read, found Sum of NumberOfMessages" in problem


@pytest.mark.parametrize("name", ["collectors", "rules"])
def test_a_service_with_only_one_file_is_reported(folder: Path, name: str) -> None:
    other = {"collectors": "rules", "rules": "collectors"}[name]
    (folder / name / "ours.yaml").unlink()
    assert problems(folder) == [
        f"{other}/ours.yaml:1: file: expected a second file {name}/ours.yaml, found none"
    ]


def test_a_service_whose_name_differs_from_its_file_is_reported(folder: Path) -> None:
    change(folder / "rules" / "ours.yaml", "service: ours", "# A comment.\nservice: hours")
    assert problems(folder) == [
        "rules/ours.yaml:2: service: expected ours, the name of the file, found hours"
    ]


def test_a_service_with_the_name_of_a_built_in_service_is_reported(folder: Path) -> None:
    for name in ("collectors", "rules"):
        change(folder / name / "ours.yaml", "service: ours", "service: sqs")
        (folder / name / "ours.yaml").rename(folder / name / "sqs.yaml")
    assert problems(folder) == [
        f"{name}/sqs.yaml:1: service: expected another name: it is that of a built-in service"
        for name in ("collectors", "rules")
    ]


@pytest.mark.parametrize("name", [OWN_RUNBOOK, *NON_SERVICE_READS])
def test_a_service_with_the_name_of_a_page_of_headroom_is_reported(folder: Path, name: str) -> None:
    for kind in ("collectors", "rules"):
        change(folder / kind / "ours.yaml", "service: ours", f"service: {name}")
        (folder / kind / "ours.yaml").rename(folder / kind / f"{name}.yaml")
    place = f"rules/{name}.yaml:1: service"
    assert problems(folder) == [f"{place}: expected another name, as Headroom itself has {name}"]


def test_a_signal_that_is_named_like_headrooms_blind_spots_is_reported(folder: Path) -> None:
    for kind in ("collectors", "rules"):
        change(folder / kind / "ours.yaml", "  topics:", f"  {BLIND_SIGNAL}:")
    place = "rules/ours.yaml:4: signals.blind"
    assert problems(folder) == [f"{place}: expected another name, as Headroom itself has blind"]


def test_a_signal_that_only_one_file_has_is_reported(folder: Path) -> None:
    change(folder / "rules" / "ours.yaml", "  topics:", "  topic:")
    assert problems(folder) == [
        "collectors/ours.yaml:8: signals.topics: expected a signal of rules/ours.yaml, found topics; "
        "did you mean topic?",
        "rules/ours.yaml:4: signals.topic: expected a signal of collectors/ours.yaml, found topic; "
        "did you mean topics?",
    ]


def test_a_placeholder_of_a_command_that_has_no_value_is_reported(folder: Path) -> None:
    command = "aws sns list-topics --name={topic} --parent={topics} --region {region} --code {code}"
    entry = folder / "rules" / "ours.yaml"
    change(entry, "  published:\n", f"  published:\n    command: {command}\n")
    expected = "expected a placeholder of account_id, number, partition, region, suffix, topic"
    line = entry.read_text().splitlines().index(f"    command: {command}") + 1
    assert problems(folder) == [
        f"rules/ours.yaml:{line}: signals.published.command: {expected}, found topics; did you mean topic?",
        f"rules/ours.yaml:{line}: signals.published.command: {expected}, found code",
    ]


def test_misplaced_files_are_reported(folder: Path) -> None:
    (folder / "rules" / "catalogue").mkdir()
    (folder / "rules" / "..data").mkdir()  # as Kubernetes mounts a ConfigMap
    (folder / "rules" / "others.yml").write_text(OWN_FILES["rules"])
    (folder / "others.yaml").write_text(OWN_FILES["collectors"])
    (folder / "README.md").write_text("Our own services.")
    for hidden in (".#others.yaml", "rules/._ours.yaml", "collectors/.ours.yaml"):
        (folder / hidden).write_bytes(b"\x00")  # as editors and macOS write them
    assert problems(folder) == [
        "others.yaml:1: file: expected in collectors or rules",
        "rules/others.yml:1: file: expected the ending .yaml",
    ]


@pytest.mark.parametrize("name", ["", "collectors", "rules"])
def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "catalogue.d"
    write_own_files(folder)
    (folder / name).rename(tmp_path / "moved")
    (folder / name).touch()
    place = f"{folder / name}:1: file"
    with pytest.raises(DeclarationError, match=f"^{place}: cannot be read: Not a directory$"):
        registry_with(folder)


def test_a_broken_link_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "catalogue.d").symlink_to("absent")
    with pytest.raises(DeclarationError, match="cannot be read: No such file or directory"):
        registry_with(tmp_path / "catalogue.d")


def test_a_file_that_cannot_be_read_is_reported(folder: Path) -> None:
    (folder / "rules" / "ours.yaml").unlink()
    (folder / "rules" / "ours.yaml").mkdir()
    (problem,) = problems(folder)
    assert problem.startswith("rules/ours.yaml:1: file: cannot be read: ")
