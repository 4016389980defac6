"""A runbook: headings, each with what is below it. It knows neither Markdown nor HTML.

In texts, code stands between backticks. They may be of a user's catalogue: who renders them escapes them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CATALOGUE = ""  # instead of the name of a runbook: the list of all signals


@dataclass(frozen=True, slots=True)
class Reference:
    """A link to a runbook, or to CATALOGUE. heading: of that page; empty for its top."""

    text: str
    page: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph. parts: texts and links. label: what it is about, such as `Impact`; empty for none."""

    parts: tuple[str | Reference, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShellCommands:
    """Commands of a shell, one a line."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts. names: of its columns."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Pages of documentation, by their addresses. label: what they are."""

    label: str
    urls: tuple[str, ...]


Block = Paragraph | Bullets | ShellCommands | TextTable | Addresses


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and what is below it. heading: the id of a signal, or the name of an alert."""

    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Runbook:
    """The runbook of a service, or of Headroom itself. title: whose it is. head: what comes first."""

    title: str
    head: Sequence[Block]
    sections: Sequence[Section]


def paragraph(*parts: str | Reference, label: str = "") -> Paragraph:
    """Return a paragraph of these parts."""
    return Paragraph(parts, label)
