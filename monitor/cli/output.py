"""The output of `headroom report`: its formats, and the file or stream that it is written to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer

from monitor.lib.atomic_file import replace_atomically
from monitor.report.html import as_html
from monitor.report.markdown import as_markdown

FORMATS = {"html": as_html, "markdown": as_markdown}
STDOUT = Path("-")


@contextmanager
def open_output(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing, or standard output for `-`. The file is replaced only when all is written.

    Raises OSError.
    """
    if path == STDOUT:
        yield typer.get_binary_stream("stdout")
        return
    with replace_atomically(path) as file:
        yield file
