"""The runbooks as files in Markdown: a page for each service, and one for Headroom itself."""

from collections.abc import Mapping

from collectors.registry import Registry
from monitor.dashboards.markdown import GENERATED, bullets, link, shell, table
from monitor.lib.anchors import anchor
from monitor.runbooks.runbook import (
    CATALOGUE,
    Addresses,
    Bullets,
    Paragraph,
    Reference,
    Runbook,
    RunbookBlock,
    ShellCommands,
    TextTable,
)
from monitor.runbooks.runbooks import find_runbook, runbook_names


def address_of(runbooks: str, page: str, heading: str) -> str:
    """Return the address of a heading of a runbook. runbooks: the address of the folder of runbooks."""
    return f"{runbooks}/{page}.md#{anchor(heading)}"


def files(registry: Registry) -> Mapping[str, str]:
    """Return the text of each runbook by the name of its file."""
    runbooks = ((name, find_runbook(registry, name)) for name in runbook_names(registry))
    return {f"{name}.md": markdown_of(runbook) for name, runbook in runbooks if runbook}


def markdown_of(runbook: Runbook) -> str:
    """Return a runbook in Markdown."""
    parts = [f"# Runbook of {runbook.title}", GENERATED, *map(_block_text, runbook.head)]
    for section in runbook.sections:
        parts += [f"## {section.heading}", *map(_block_text, section.blocks)]
    return "\n\n".join(parts) + "\n"


def _block_text(block: RunbookBlock) -> str:
    match block:
        case Paragraph(parts, label):
            text = "".join(part if isinstance(part, str) else _link_text(part) for part in parts)
            return f"**{label}:** {text}" if label else text
        case Bullets(items):
            return bullets(items)
        case ShellCommands(lines):
            return shell(lines)
        case TextTable(names, rows):
            return table(names, rows)
        case Addresses(label, urls):
            return f"{label}: {', '.join(f'<{url}>' for url in urls)}"


def _link_text(reference: Reference) -> str:
    page = "../catalogue.md" if reference.page == CATALOGUE else f"{reference.page}.md"
    return link(reference.text, page, reference.heading)
