"""Reads the files with request paths that the configuration names."""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from monitor.lib.files import read_file
from monitor.schema.problems import Problem
from rules.model_file import MAX_FILE_SIZE
from rules.path_file import MAX_PATHS, RequestPath, parse_paths
from rules.strict_yaml import DocumentPath

KEY = "path_files"


class PathFilesResult(NamedTuple):
    """The request paths of all files, and the problems of the files."""

    paths: Sequence[RequestPath]
    problems: Sequence[Problem]


def read_path_files(patterns: Sequence[str], folder: Path) -> PathFilesResult:
    """Read the files that match patterns, which may be relative to `folder`. The call blocks.

    A pattern with wildcards may match no file.
    """
    paths: list[RequestPath] = []
    problems: list[Problem] = []
    first_file_of_name: dict[str, str] = {}
    files_read: set[Path] = set()
    for index, pattern in enumerate(patterns):
        where: DocumentPath = (KEY, index)
        for file in _files(pattern, folder):
            if file in files_read:
                continue
            files_read.add(file)
            paths_of_file, sentences = _read(file)
            problems += [Problem(where, sentence) for sentence in sentences]
            problems += [
                Problem(where, sentence)
                for sentence in _repeated_names(paths_of_file, str(file), first_file_of_name)
            ]
            paths += paths_of_file
    if len(paths) > MAX_PATHS:
        problems.append(Problem((KEY,), f"expected at most {MAX_PATHS} paths in all, found {len(paths)}"))
    return PathFilesResult(paths, problems)


def _files(pattern: str, folder: Path) -> list[Path]:
    if not has_magic(pattern):
        return [folder / pattern]
    return [Path(name) for name in sorted(glob(str(folder / pattern)))]


def _read(file: Path) -> tuple[Sequence[RequestPath], Sequence[str]]:
    """Return the paths of a file, and its problems."""
    try:
        content = read_file(file, MAX_FILE_SIZE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return (), [f"{file}: cannot be read: {reason}"]
    parsed = parse_paths(content, str(file))
    return parsed.model.paths if parsed.model else (), parsed.problems


def _repeated_names(
    paths: Sequence[RequestPath], file: str, first_file_of_name: dict[str, str]
) -> Iterator[str]:
    """Yield a sentence for each request path of `file` that has the name of a path of an earlier file.

    first_file_of_name: for each name of a path, the first file that has it; the names of `paths` are added.
    """
    for path in paths:
        if (earlier := first_file_of_name.setdefault(path.name, file)) != file:
            yield f"{file}: expected a name that no path of {earlier} has, found {path.name!r} again"
