"""The problems of stories, which are reported with file and line, all at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from collectors.registry import build_registry
from monitor.demo.region import DemoRegion
from monitor.demo.story_file import StoryError, parse_stories
from monitor.demo.story_reader import read_stories
from monitor.demo.world import REGIONS
from rules.signals import Service
from rules.strict_yaml import parse
from tests.monitor.demo import made_up

WORLD = {
    "eu-west-1": DemoRegion("eu-west-1"),
    "ap-southeast-2": DemoRegion("ap-southeast-2", denied=True),
}
NODES = "kafka.ListNodes(arn:aws:kafka:eu-west-1:123456789012:cluster/builds/2)"


async def problems(text: str, world: Mapping[str, DemoRegion] = WORLD) -> list[str]:
    """Return the problems of stories, each with its line of the text."""
    try:
        await read_stories([made_up.stories(text)], made_up.registry(), world)
    except StoryError as error:
        return [problem.removeprefix("brokers.yaml:") for problem in error.problems]
    return []


def line_of(text: str, part: str) -> int:
    """Return the number of the line of `text` in which a part of it begins."""
    return text[: text.index(part)].count("\n") + 1


async def test_valid_stories_have_no_problems() -> None:
    assert await problems(made_up.STORIES) == []


@pytest.mark.parametrize(
    ("original", "replacement", "expected"),
    [
        ("mean: 0.55", "men: 0.55", "unknown key; did you mean mean?"),
        ("mean: 0.55", 'mean: "0.55"', "expected a number, found '0.55'"),
        ("mean: 0.55", "mean: -1", "mean: expected at least 0, found -1"),
        ("mean: 0.55", "mean: .inf", "expected a number, found '.inf'"),
        ("io media:", "io medium:", "no such series; did you mean io media?"),
        ("io media:", "nodes media:", "the answers of AWS alone tell its usage"),
        ("L-0000000A:", "L-0000000B:", "no quota of brokers"),
        (NODES, "kafka.ListNode()", "expected client.Operation or client.Operation(value)"),
        (NODES, "kafka.ListNode(x)", "no operation ListNode of kafka"),
        (NODES, "kafak.ListNodes(x)", "no client kafak"),
        (NODES, "kafka.ListNodes(unknown)", "brokers makes no such call"),
        ("{NodeInfoList: []}", "[]", "expected a response, a list of pages, or the code of an error"),
        ("{NodeInfoList: []}", "{NodeInfo: []}", "NodeInfo"),
        ("{NodeInfoList: []}", "{NodeInfoList: 7}", "Invalid type for parameter NodeInfoList"),
        ("{$repeat: 3,", "{$repeat: 0,", "expected $repeat from 1 to 1,000, found 0"),
        ("{$repeat: 3,", "{$repeat: true,", "expected $repeat from 1 to 1,000, found True"),
        (f"{NODES}: {{NodeInfoList: []}}", "kafka.DescribeCluster(x): [{}]", "as the operation has no pages"),
        ("{$repeat: 3,", "{$repeat: 1001,", "expected $repeat from 1 to 1,000, found 1001"),
        ("  eu-west-1:\n", "  eu-wset-1:\n", "no region of the demo; did you mean eu-west-1?"),
        ("service: brokers", "service: broker", "no service broker; did you mean brokers?"),
    ],
)
async def test_a_mistake_is_reported_with_its_line(original: str, replacement: str, expected: str) -> None:
    text = made_up.STORIES.replace(original, replacement, 1)
    reported = await problems(text)
    line = line_of(text, replacement)
    line_starts = (f"{line}:", f"{line - 1}:")  # the answer that has the mistake may start a line earlier
    problems_of_line = [problem for problem in reported if problem.startswith(line_starts)]
    assert any(expected in problem for problem in problems_of_line), reported


async def test_a_call_without_an_answer_is_a_problem() -> None:
    text = made_up.STORIES.replace(f"      {NODES}: {{NodeInfoList: []}}\n", "")
    (problem,) = await problems(text)
    assert problem.endswith(f"no answer to {NODES}")


async def test_an_answer_that_a_scan_cannot_read_is_a_problem() -> None:
    cluster = '{ClusterArn: "arn:aws:kafka:eu-west-1:123456789012:cluster/builds/2", ClusterName: builds}'
    reported = await problems(made_up.STORIES.replace(cluster, "{ClusterName: builds}"))
    expected = "regions.eu-west-1.answers: expected an id of the cluster, found None"
    assert any(expected in problem for problem in reported)


async def test_each_region_of_the_demo_that_is_not_denied_needs_stories() -> None:
    reported = await problems(made_up.STORIES, WORLD | {"us-east-1": DemoRegion("us-east-1")})
    assert reported == ["3: regions: missing the region us-east-1"]


async def test_all_problems_are_reported_at_once() -> None:
    text = made_up.STORIES
    for original, replacement in (
        ("mean: 0.55", "men: 0.55"),
        ("NodeInfoList: []", "NodeInfo: []"),
        ("io media", "io medium"),
    ):
        text = text.replace(original, replacement)
    assert len(await problems(text)) >= 2


async def test_two_files_may_share_an_answer_but_not_contradict_each_other() -> None:
    first, second = made_up.stories(), made_up.stories(name="other.yaml")
    book = await read_stories([first, second], made_up.registry(), WORLD)
    assert len(book.regions["eu-west-1"].series) == 10
    text = made_up.STORIES.replace("ClusterName: builds", "ClusterName: build")
    second = made_up.stories(text, name="other.yaml")
    with pytest.raises(StoryError, match="another file has another answer"):
        await read_stories([first, second], made_up.registry(), WORLD)


@pytest.mark.parametrize("content", ["a: [", "service: x\nservice: y", "- 1"])
async def test_a_file_that_is_no_yaml_mapping_is_a_problem(content: str) -> None:
    assert await problems(content)


PAGE = (Path(__file__).parents[3] / "docs" / "add-a-service.md").read_text()


def file_on_page(path: str) -> bytes:
    """Return a file of the example on the page for contributors."""
    _, _, file_and_rest = PAGE.partition(f"`{path}`:\n\n```yaml\n")
    return file_and_rest.partition("```")[0].encode()


async def test_the_example_for_contributors_is_valid() -> None:
    collector = collector_of(
        parse_declaration(file_on_page("collectors/codeartifact.yaml"), "codeartifact.yaml")
    )
    service = Service.model_validate(parse(file_on_page("rules/catalogue/codeartifact.yaml"))[0])
    file = parse_stories(file_on_page("monitor/demo/stories/codeartifact.yaml"), "codeartifact.yaml")
    world = {region.name: region for region in REGIONS}
    book = await read_stories([file], build_registry([collector], [service]), world)
    assert [quota.code for quota in book.quotas] == ["L-DD7208D3", "L-86608C96"]
