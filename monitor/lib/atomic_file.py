"""Replaces a file atomically, so that no reader sees a part of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from shutil import copymode
from typing import BinaryIO


@contextmanager
def replace_atomically(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write, which replaces `path` when the block ends without an exception.

    Anything but a regular file, such as a pipe, is written directly. Raises OSError.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    temporary = path.with_name(f".headroom-{token_hex(8)}")
    try:
        with temporary.open("xb") as out:
            if path.exists():
                copymode(path, temporary)
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
