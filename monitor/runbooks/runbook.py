"""The content of a runbook: headings and the blocks below them, without Markdown or HTML.

In texts, code stands between backticks. Texts may come from a user's catalogue, so a renderer must escape
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CATALOGUE = ""  # as `page` of a Reference: the list of all signals


@dataclass(frozen=True, slots=True)
class Reference:
    """A link. page: the name of a runbook, or CATALOGUE. heading: one of that page; empty for its top."""

    text: str
    page: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph. parts: texts and links. label: its subject, such as `Impact`; empty for none."""

    parts: tuple[str | Reference, ...]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of texts."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShellCommands:
    """Shell commands, one in each line."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of texts. names: the names of its columns."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of web pages. label: the title of the list."""

    label: str
    urls: tuple[str, ...]


RunbookBlock = Paragraph | Bullets | ShellCommands | TextTable | Addresses


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the blocks below it. heading: the id of a signal, or the name of an alert."""

    heading: str
    blocks: Sequence[RunbookBlock]


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook. title: a service's title, or `Headroom`. head: the blocks above the first section."""

    title: str
    head: Sequence[RunbookBlock]
    sections: Sequence[Section]


def paragraph(*parts: str | Reference, label: str = "") -> Paragraph:
    """Return a paragraph of these parts."""
    return Paragraph(parts, label)
