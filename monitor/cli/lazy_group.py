"""Groups whose commands are imported when they are used."""

from collections.abc import Mapping
from importlib import import_module
from inspect import cleandoc
from typing import Any, ClassVar, NamedTuple

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


class LazyCommand(NamedTuple):
    """A command or a group of commands, which is the attribute `app` of a module.

    summary: the first line of its help.
    """

    module: str
    summary: str


class LazyGroup(TyperGroup):
    """A group that imports a lazy command when it is used; its help lists lazy commands without imports.

    lazy_commands: the lazy commands by name, in the order of the help.
    """

    lazy_commands: ClassVar[Mapping[str, LazyCommand]] = {}
    _shows_summaries = False  # true while the help of the group is written

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the help."""
        return [*super().list_commands(ctx), *self.lazy_commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, imported if it is lazy; None if there is no command of this name."""
        if cmd_name not in self.lazy_commands:
            return super().get_command(ctx, cmd_name)
        if self._shows_summaries:
            return TyperCommand(cmd_name, help=self.lazy_commands[cmd_name].summary)
        command = get_command(import_module(self.lazy_commands[cmd_name].module).app)
        command.name = cmd_name
        _join_lines(command)
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group, with the summaries of its commands."""
        self._shows_summaries = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._shows_summaries = False


def _join_lines(command: Any) -> None:
    """Join the lines of each paragraph in the help of a command and of its subcommands.

    Typer keeps the lines of a docstring, which are too long for a terminal of 80 columns.
    """
    paragraphs = cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for subcommand in getattr(command, "commands", {}).values():
        _join_lines(subcommand)
