"""Where a summary is written, and as what."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from monitor.atomic import replacing
from monitor.summary.markdown import as_markdown
from monitor.summary.page import as_html

FORMATS = {"html": as_html, "markdown": as_markdown}
STANDARD = Path("-")  # standard output


@contextmanager
def opened(out: Path) -> Iterator[BinaryIO]:
    """The file to write, or standard output. Raises OSError; then nothing is left of it."""
    if out == STANDARD:
        yield typer.get_binary_stream("stdout")
        return
    with replacing(out) as file:
        yield file
