"""The commands that the demo prints, which Headroom must accept."""

import shlex
import sys
from pathlib import Path

import pytest
import typer.main

from monitor.cli.commands import app
from monitor.cli.lazy_group import LazyGroup
from monitor.demo.environment import CREDENTIALS
from monitor.demo.hints import headroom_command, hints

CONFIG = Path("/tmp/the demo/headroom.yaml")
COMMAND = "/the bin/headroom"
LINES = [*hints("127.0.0.1:4070", "http://127.0.0.1:4071", CONFIG, shlex.quote(COMMAND))]
COMMANDS = [line.strip() for line in LINES[LINES.index("Try, in another terminal:") + 1 :]]


@pytest.mark.parametrize("line", COMMANDS)
def test_headroom_accepts_a_printed_command_with_its_options(line: str) -> None:
    words = shlex.split(line)
    if words[0] == "env":
        assert dict(word.split("=", 1) for word in words[1:3]) == CREDENTIALS
        assert words[words.index("--config") + 1] == str(CONFIG)
        words = words[3:]
    else:
        assert words[words.index("--address") + 1] == "127.0.0.1:4070"
    assert words[0] == COMMAND
    group = typer.main.get_command(app)
    assert isinstance(group, LazyGroup)
    context = group.make_context("headroom", words[1:])
    command = group.get_command(context, words[1])
    assert command
    assert command.make_context(words[1], words[2:]).params  # raises an error for an unknown option


def test_the_hints_include_check_top_lookback_and_what_if() -> None:
    names = {word for line in COMMANDS for word in shlex.split(line)}
    assert {"check", "top", "lookback", "what-if"} <= names


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An executable file with the name of the command."""
    path = tmp_path / "the bin" / "headroom"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_printed_command_is_short_if_path_leads_to_this_program(program: Path) -> None:
    assert headroom_command(str(program), f"/nowhere:{program.parent}") == "headroom"


def test_the_printed_command_works_in_any_folder(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program.parent.parent)
    other = program.parent.parent / "headroom"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    for search_path in ("", "/nowhere", str(other.parent)):  # PATH has no Headroom, or another one
        assert shlex.split(headroom_command("the bin/headroom", search_path)) == [str(program)]


def test_the_printed_command_of_a_module_names_the_interpreter() -> None:
    command = headroom_command("/checkout/monitor/__main__.py", "/nowhere")
    assert shlex.split(command) == [sys.executable, "-m", "monitor"]
