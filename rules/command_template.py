"""Templates of shell commands: their words, and the placeholders in them, such as `{region}`."""

import re
import shlex
from collections.abc import Callable

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
QUOTING = re.compile(r"""['"\\]|[^ -~]""")  # characters that a shell might not read as a part of a word
NUMBER_PLACEHOLDER = "number"  # the new limit
CELL_PLACEHOLDERS = frozenset({"region", "account_id", "partition", "suffix"})
QUOTA_PLACEHOLDERS = frozenset({"service", "code"})  # of the quota of the signal
# Placeholders whose values never begin with a hyphen, so that no command takes them for an option. Names and
# ids of resources may.
SAFE_NAMES = frozenset({NUMBER_PLACEHOLDER, *CELL_PLACEHOLDERS, *QUOTA_PLACEHOLDERS})


def shell_words(command: str) -> list[str]:
    """Return the words of a shell command. Raises ValueError for a quote without its end."""
    return shlex.split(command) if QUOTING.search(command) else command.split()  # str.split is much faster


def fill_command(template: str, value: Callable[[str], str]) -> str:
    """Return a command with its placeholders replaced, each word quoted for a shell.

    value: returns the value of the placeholder with a name.
    """
    words = (PLACEHOLDER.sub(lambda match: value(match[1]), word) for word in shell_words(template))
    return shlex.join(words)
