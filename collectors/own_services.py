"""Reads a user's own services from a folder: declarations in `collectors/`, and entries in `rules/`."""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from collectors.botocore_problems import botocore_problems
from collectors.declaration import Declaration
from collectors.declaration_error import DeclarationError
from collectors.service_files import ServiceFolders, read_service_files
from rules.signals import Service

DECLARATIONS, ENTRIES = "collectors", "rules"


def read_own_services(
    folder: Path, taken_names: Collection[str], only: str | None = None
) -> tuple[list[Declaration], list[Service]]:
    """Return the declarations and entries of a folder.

    taken_names: the names of the built-in services. only: the name of the one service to read; None for all.
    Raises DeclarationError with every problem of the files.
    """
    if problems := [*_unreadable_folders(folder)]:
        raise DeclarationError(problems)
    problems = [] if only else [*_misplaced_files(folder)]
    folders = ServiceFolders(folder / DECLARATIONS, folder / ENTRIES, only)
    try:
        result = read_service_files(folders, taken_names=taken_names, further_check=botocore_problems)
    except DeclarationError as error:
        problems += error.problems
    if problems:
        raise DeclarationError(problems)
    return result


def check_own_services(paths: Iterable[Path], taken_names: Collection[str]) -> list[Service]:
    """Return the entries of the services in these paths, each entry once.

    paths: folders, to check all services in them, or files, to check only their services. taken_names: see
    `read_own_services`. Raises DeclarationError with every problem of all files.
    """
    services_by_path: dict[Path, Service] = {}  # by the path of the entry's file, without its ending
    problems: list[str] = []
    for path in paths:
        try:
            folder, only = _folder_and_name(path)
            _, services = read_own_services(folder, taken_names, only)
        except DeclarationError as error:
            problems += error.problems
        else:
            services_by_path |= {(folder / ENTRIES / entry.service).absolute(): entry for entry in services}
    if problems:
        raise DeclarationError([*dict.fromkeys(problems)])
    return [*services_by_path.values()]


def _folder_and_name(path: Path) -> tuple[Path, str | None]:
    """Return a folder and None; for a file of a service, the folder and the name of the service.

    Raises DeclarationError if the path is neither a folder nor a file of a service.
    """
    if path.is_dir():
        return path, None
    if not path.exists():
        raise DeclarationError([f"{path}: there is no such folder or file"])
    parent = Path(os.path.abspath(path.parent))  # absolute, because the parent of a bare file name is "."
    if parent.name not in (DECLARATIONS, ENTRIES):
        raise DeclarationError([f"{path}:1: file: expected in a folder {DECLARATIONS} or {ENTRIES}"])
    if path.suffix != ".yaml":
        raise DeclarationError([_wrong_ending(path)])
    return (parent.parent if path.is_absolute() else Path(os.path.relpath(parent.parent))), path.stem


def _unreadable_folders(folder: Path) -> Iterator[str]:
    """Yield a problem for the first folder that cannot be listed, which would otherwise look empty."""
    for path in (folder, folder / DECLARATIONS, folder / ENTRIES):
        try:
            os.listdir(path)
        except OSError as error:
            if path == folder or not isinstance(error, FileNotFoundError):  # a missing subfolder has no files
                yield f"{path}:1: file: cannot be read: {error.strerror}"
                return


def _misplaced_files(folder: Path) -> Iterator[str]:
    """Yield a problem for each YAML file that nothing reads.

    Hidden files are skipped, because Kubernetes and editors make them.
    """
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.name.startswith(".") or path.suffix not in (".yaml", ".yml"):
            continue
        if path.parent.parent != folder or path.parent.name not in (DECLARATIONS, ENTRIES):
            yield f"{path}:1: file: expected in {folder / DECLARATIONS} or {folder / ENTRIES}"
        elif path.suffix != ".yaml":
            yield _wrong_ending(path)


def _wrong_ending(path: Path) -> str:
    return f"{path}:1: file: expected the ending .yaml"
