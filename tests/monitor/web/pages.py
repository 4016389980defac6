"""Helpers that read pages and feed series in tests."""

import time
from html.parser import HTMLParser

import httpx
import numpy as np

from monitor.fleet.fleet import Fleet, Series
from monitor.web.templating import asset, assets

VOID_TAGS = {"meta", "link", "input", "br", "hr", "img", "rect", "path"}
CELL_TAGS = {"td", "th"}
OPTIONAL_END_TAGS = {"li", "option", "p", *CELL_TAGS}


class Page(HTMLParser):
    """A parsed page: its elements with attributes, and its text without that of <style>.

    Asserts that elements are nested correctly.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in CELL_TAGS and self._open[-1] in CELL_TAGS:
            self._open.pop()
        if tag not in VOID_TAGS:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self._open[-1] in OPTIONAL_END_TAGS and tag != self._open[-1]:
            self._open.pop()
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements with this tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def links(self) -> list[str]:
        return [link["href"] or "" for link in self.all("a")]

    @property
    def foreign_scripts(self) -> list[str | None]:
        """The addresses of scripts that are no assets of Headroom; None for an inline script."""
        ours = {asset(name) for name in assets()}
        return [script.get("src") for script in self.all("script") if script.get("src") not in ours]

    @property
    def token(self) -> str:
        """The token that the first form sends."""
        return next(field["value"] or "" for field in self.all("input") if field.get("name") == "token")


async def page(client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    """Return the page at a path; the response must have the status."""
    response = await client.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text)


def feed(fleet: Fleet, series: Series, values: list[float], throttled: list[float] | None = None) -> None:
    """Write samples of the minutes up to now: usage in its unit, throttled demand per second."""
    now = int(time.time() // 60)
    for formulas, samples in ((fleet.usages, values), (fleet.throttled, throttled or [])):
        formula = formulas.get(series.slot)
        if formula and samples:
            minutes = np.arange(now - len(samples) + 1, now + 1, dtype=np.int32)
            rows = np.full(len(samples), formula.rows[0], np.int32)
            fleet.rings.write(rows, minutes, np.array(samples, np.float32) / np.float32(formula.weights[0]))
