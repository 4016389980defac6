"""The README and docs/: their commands work, links lead to files and headings, and lists are complete."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.main import get_command

from deploy.package.index_readme import index_readme
from monitor.aws.telemetry import AwsTelemetry
from monitor.cli.commands import app
from monitor.cost.telemetry import CostTelemetry
from monitor.exposition.exposition import HEADERS
from monitor.lib.telemetry import ProcessTelemetry
from monitor.topology.telemetry import PathTelemetry
from tests.monitor.cli.invocation import headroom
from tests.service_table import PAGE, with_service_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
METRICS = (ROOT / "docs" / "metrics.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
OFFLINE = ("iam-policy", "catalogue", "config", "dashboards")  # commands that need neither AWS nor a server


def test_every_service_has_its_row_in_the_table() -> None:
    page = PAGE.read_text("utf-8")
    assert with_service_table(page) == page, "run `make dashboards`"


def test_every_exported_family_is_documented() -> None:
    documented = set(re.findall(r"headroom_[a-z_]+", METRICS))
    registry = ProcessTelemetry().registry
    aws = AwsTelemetry(registry)
    CostTelemetry(registry, aws)
    PathTelemetry(registry)
    own_families = {name for name in family_names(registry) if name.startswith("headroom_")}
    own_families |= {"headroom_stream_updates_total", "headroom_blind_places"}
    assert (set(HEADERS) | own_families) - documented == set()


def family_names(registry: CollectorRegistry) -> set[str]:
    """Return the names of the families of a registry, as they are exported."""
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}


def command_lines(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the words after `headroom` of each command in the blocks of a page, without redirections."""
    for language, block in BLOCK.findall(text):
        for line in block.splitlines() if language in ("", "sh") else ():
            if line.startswith("headroom "):
                words = shlex.split(line, comments=True)
                yield tuple(words[1 : words.index(">") if ">" in words else None])


LINES = sorted({*command_lines(README), *command_lines(COMMANDS)})


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_each_command_has_known_options_and_arguments(words: tuple[str, ...]) -> None:
    command, context, remaining = get_command(app), None, [*words]
    while remaining and hasattr(command, "get_command"):
        context = command.make_context("headroom", [], parent=context, resilient_parsing=True)
        subcommand = command.get_command(context, remaining[0])
        if subcommand is None:
            break
        command, remaining = subcommand, remaining[1:]
    command.make_context(words[-1], remaining)  # raises UsageError for unknown options and arguments
    assert len(remaining) < len(words)


@pytest.mark.parametrize("words", [line for line in LINES if line[0] in OFFLINE], ids=" ".join)
def test_a_command_that_needs_neither_aws_nor_a_server_runs(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved_words = [str(tmp_path / word[1:]) if word.startswith("/") else word for word in words]
    result = headroom(*moved_words)
    assert result.exit_code == 0, result.output
    assert result.stdout


def test_the_yaml_blocks_are_valid() -> None:
    blocks = [block for language, block in BLOCK.findall(README) if language == "yaml"]
    assert len(blocks) == 3
    scraped, provided, _ = map(yaml.safe_load, blocks)
    assert scraped["scrape_configs"][0]["honor_labels"] is True
    compose = yaml.safe_load((ROOT / "deploy/compose/grafana/dashboards.yaml").read_text("utf-8"))
    assert (
        provided.keys() == compose.keys()
        and provided["providers"][0].keys() <= compose["providers"][0].keys()
    )


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))])
def test_each_link_leads_to_a_file_and_a_heading(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in set(re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", BLOCK.sub("", text))):
        name, _, heading = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        assert not heading or heading in headings(file.read_text("utf-8")), target


def headings(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", title).lower() for title in titles)
    return {re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-") for title in plain}


def test_the_readme_for_the_package_index_has_the_commands_and_the_comparison() -> None:
    page = index_readme(README)
    assert "headroom init" in page and "](https://github.com/prometheus-community/" in page
