"""Makes the description of the distribution from README.md, for the page of a package index.

That page lacks the files that README.md links to, and the project has no address of its own. So links to
files become the names of the files, and pictures are removed.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

IMAGE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n+", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?!https?://)([^)#\s]*)(?:#[^)\s]*)?\)")


def index_readme(text: str) -> str:
    """Return a page without links to other files: `[Alerts](docs/alerts.md)` is `Alerts (docs/alerts.md)`.

    A link to a heading, or whose text is the name of the file, becomes its text alone.
    """

    def link_text(link: re.Match[str]) -> str:
        label, path = link[1], link[2]
        return label if not path or "#" in link[0] or path in label else f"{label} ({path})"

    return LINK.sub(link_text, IMAGE.sub("", text))


class IndexReadme(MetadataHookInterface):
    """Sets the dynamic field `readme` when hatchling builds the distribution."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the description to README.md without its links to files."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": index_readme(text)}
