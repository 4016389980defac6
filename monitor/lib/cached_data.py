"""Caches data that is derived from files, for later processes, in the user's cache folder.

The data is JSON, and is never executed. A cached file that is damaged, or that other users could have
written, is ignored. Without a writable folder, no data is cached.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

MAX_CACHED_FILES = 8  # files of a name, as several versions may be installed; the oldest are removed
MAX_CACHED_SIZE = 16 * 1024**2  # bytes of a file
FOLDER = "headroom"  # within the cache folder
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
WRITE_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
KEY_LENGTH = 16  # digits of a key in the name of its file
DIGEST_LENGTH = 64  # hexadecimal digits before the data


def key_of(contents: Iterable[tuple[str, bytes]]) -> str:
    """Return the key of data that is derived from files. contents: their names and contents, in order."""
    digest = blake2b(digest_size=32)
    for name, content in contents:
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def read_cached(name: str, key: str, environ: Mapping[str, str] = os.environ) -> Any:
    """Return the cached data of a name and key; None if there is none."""
    with suppress(OSError, ValueError, msgspec.MsgspecError):
        digest, data = _content(_path(name, key, environ))
        if digest == _digest(key, data):
            return msgspec.json.decode(data)
    return None


def write_cached(name: str, key: str, data: Any, environ: Mapping[str, str] = os.environ) -> None:
    """Cache data under a name and key, if possible; `read_cached` returns it."""
    with suppress(OSError, ValueError):
        encoded = msgspec.json.encode(data)
        if msgspec.json.decode(encoded) != data:
            return  # JSON cannot represent the data: infinity, for example
        path = _path(name, key, environ)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open(os.open(temporary, WRITE_NEW, 0o600), "wb") as file:
                file.write(_digest(key, encoded) + encoded)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        files = sorted(path.parent.glob(f"{name}-*.json"), key=lambda file: file.stat().st_mtime)
        for old in files[:-MAX_CACHED_FILES]:
            old.unlink(missing_ok=True)


def _path(name: str, key: str, environ: Mapping[str, str]) -> Path:
    """Return the file of a name and key. Raises ValueError for a user without a cache folder."""
    # https://specifications.freedesktop.org/basedir-spec/latest/: relative paths are invalid.
    for variable, subfolders in (("XDG_CACHE_HOME", ()), ("HOME", (".cache",))):
        if (folder := environ.get(variable, "")).startswith("/"):
            return Path(folder, *subfolders, FOLDER, f"{name}-{key[:KEY_LENGTH]}.json")
    raise ValueError("no cache folder")


def _content(path: Path) -> tuple[bytes, bytes]:
    """Return the digest and the data in a file. Raises OSError; ValueError if other users can write it."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        trusted = stat.S_ISREG(status.st_mode) and status.st_uid in (0, os.geteuid())
        if not trusted or status.st_mode & WRITABLE_BY_OTHERS or status.st_size > MAX_CACHED_SIZE:
            raise ValueError(f"{path} is not trusted")
        return file.read(DIGEST_LENGTH), file.read(MAX_CACHED_SIZE)


def _digest(key: str, data: bytes) -> bytes:
    digest = blake2b(key.encode(), digest_size=DIGEST_LENGTH // 2)
    digest.update(data)
    return digest.hexdigest().encode()
