"""The links between the project's documents lead to pages and headings that exist."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from monitor.lib.anchors import anchor
from tests.processes import ROOT

FOLDERS = {"project": ROOT, "docs": ROOT / "docs", "runbooks": ROOT / "docs" / "runbooks"}
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@cache
def prose(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return CODE.sub("", page.read_text("utf-8"))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings; GitHub numbers repeated ones."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        name = anchor(heading)
        found.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return frozenset(found)


def dead_links(page: Path) -> Iterator[str]:
    """Yield the links of a page to files and headings that do not exist."""
    for target in LINK.findall(prose(page)):
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if "://" in target or (linked.exists() and (not heading or heading in anchors(linked))):
            continue
        yield f"{page.name}: {target}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_links_are_not_dead(folder: str) -> None:
    pages = [*FOLDERS[folder].glob("*.md")]
    assert pages
    assert [link for page in pages for link in dead_links(page)] == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    other, page = tmp_path / "other.md", tmp_path / "page.md"
    other.write_text("# Twice\n\n## Twice\n\n```sh\n# no heading\n```\n")
    working = ("other.md", "other.md#twice", "other.md#twice-1", "#own", "https://example.com/#none")
    dead = ("gone.md", "other.md#twice-2", "other.md#no-heading", "#other")
    page.write_text("# Own\n" + "".join(f"[text]({target}) " for target in (*working, *dead)))
    assert [*dead_links(page)] == [f"page.md: {target}" for target in dead]
