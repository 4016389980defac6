"""Groups whose commands are imported when they are used."""

import gc
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from typer.core import TyperGroup
from typer.main import get_command


class LazyGroup(TyperGroup):
    """A group with further commands, each in a module as `app`, that is imported when the command is used.

    modules: by the names of the commands, in the order of the help.
    """

    modules: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order of the help."""
        return [*super().list_commands(ctx), *self.modules]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None if there is none of this name."""
        if cmd_name not in self.modules:
            return super().get_command(ctx, cmd_name)
        command = get_command(_import_module(self.modules[cmd_name]).app)
        command.name = cmd_name
        return command


def _import_module(name: str) -> Any:
    """Import a module, and collect garbage from then on, but not among what the imports made."""
    module = import_module(name)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return module
