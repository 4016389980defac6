"""Writing a file so that nobody ever sees half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from shutil import copymode
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` once all went well; else what was there stays as it was.

    What is no ordinary file, as a pipe, is written as it comes. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    beside = path.with_name(f".headroom-{token_hex(8)}")
    try:
        with beside.open("xb") as out:
            if path.exists():
                copymode(path, beside)
            yield out
            out.flush()
            os.fsync(out.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
