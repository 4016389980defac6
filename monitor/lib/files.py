"""Reads configured files, and keeps state files private to their owner."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from monitor.lib.errors import HeadroomError

GROUP_AND_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
PRIVATE_MODE: Final = 0o600
FILE_KINDS: Final = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class FileKindError(HeadroomError, OSError):
    """The path is no regular file, or has several hard links; `strerror` is the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(errno.EINVAL, reason, str(path))


def ensure_private_file(path: Path) -> None:
    """Create a file that only its owner may read and write, or restrict an existing file to its owner.

    A file with several hard links is refused: SQLite would write a log for each name, and lose changes.
    Raises FileKindError, or OSError when the file cannot be opened for reading and writing.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, PRIVATE_MODE)
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.ENXIO, errno.ELOOP):
            raise FileKindError(path, f"expected a file: {error.strerror}") from None
        raise
    try:
        status = os.fstat(descriptor)
        check_regular(path, status)
        if status.st_nlink > 1:
            raise FileKindError(path, f"expected a file of one name, found {status.st_nlink} hard links")
        make_private(path, status)
    finally:
        os.close(descriptor)


def make_private(path: Path, status: os.stat_result | None = None) -> None:
    """Remove the permissions of group and others, if the file exists and belongs to this user."""
    with suppress(OSError):
        mode = (status or path.stat()).st_mode
        if mode & GROUP_AND_OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~GROUP_AND_OTHERS)


def check_regular(path: Path, status: os.stat_result) -> None:
    """Raise FileKindError when a path is no regular file."""
    if not stat.S_ISREG(status.st_mode):
        kind = FILE_KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise FileKindError(path, f"expected a file, found {kind}")


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the first `max_bytes` of a file. Raises OSError, also for named pipes, which may have no writer.

    A pipe that the shell made for this process (`<(...)`, /dev/stdin) has a writer and is read.
    """
    status = path.stat()
    if not (stat.S_ISFIFO(status.st_mode) and not Path(os.path.realpath(path)).exists()):
        check_regular(path, status)
    with path.open("rb") as file:
        return file.read(max_bytes)
