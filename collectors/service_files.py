"""Reads the files of declared services: a folder of declarations, and a folder of catalogue entries."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from collectors.declaration import Declaration
from collectors.declaration_error import DeclarationError
from collectors.declaration_file import Check, declaration_file
from collectors.metric_bounds import bound_problems
from monitor.lib.files import read_file
from rules.command_template import (
    CELL_PLACEHOLDERS,
    NUMBER_PLACEHOLDER,
    PLACEHOLDER,
    QUOTA_PLACEHOLDERS,
)
from rules.model_file import MAX_FILE_SIZE, ModelFile, parse_model, unreadable_file
from rules.problem_text import suggestion
from rules.signals import Service, Signal

Model = TypeVar("Model", bound=BaseModel)
Files = Mapping[str, ModelFile[Model]]  # by the file's name without its ending, which is the service's name


@dataclass(frozen=True, slots=True)
class ServiceFolders:
    """The folders with the files of services. only: the name of the one service to read; None for all."""

    declarations: Path
    entries: Path
    only: str | None = None


def read_service_files(
    folders: ServiceFolders,
    *,
    python_services: Collection[str] = (),
    taken_names: Collection[str] = (),
    further_check: Check | None = None,
) -> tuple[list[Declaration], list[Service]]:
    """Read the declarations and entries in two folders, in the order of their names.

    python_services: the services that need no declaration. taken_names: the names of other services.
    further_check: see `declaration_file`. Raises DeclarationError with every problem of all files.
    """
    declarations, entries, only = folders.declarations, folders.entries, folders.only
    declaration_files = _read(
        declarations, only, lambda content, name: declaration_file(content, name, further_check)
    )
    entry_files = _read(entries, only, lambda content, name: parse_model(content, name, Service))
    problems = [
        *(problem for file in declaration_files.values() for problem in file.problems),
        *(problem for file in entry_files.values() for problem in file.problems),
        *_name_problems(declaration_files, taken_names),
        *_name_problems(entry_files, taken_names),
        *_missing_file_problems(declaration_files, entry_files, entries),
        *_missing_file_problems(
            entry_files, {**declaration_files, **dict.fromkeys(python_services)}, declarations
        ),
        *_signal_problems(declaration_files, entry_files),
    ]
    if problems:
        raise DeclarationError(problems)
    return _models(declaration_files), _models(entry_files)


def _read(folder: Path, only: str | None, parse: Callable[[bytes, str], ModelFile[Model]]) -> Files[Model]:
    files = {}
    for path in sorted(folder.glob("[!.]*.yaml")):  # an editor's temporary files are hidden
        if only not in (None, path.stem):
            continue
        try:
            files[path.stem] = parse(read_file(path, MAX_FILE_SIZE + 1), str(path))
        except OSError as error:
            files[path.stem] = unreadable_file(str(path), f"cannot be read: {error.strerror}")
    return files


def _models(files: Files[Model]) -> list[Model]:
    return [file.model for file in files.values() if file.model is not None]


def _name_problems(files: Files[Model], taken_names: Collection[str]) -> Iterator[str]:
    """Yield a problem for each service whose name is taken, or differs from the name of its file."""
    for stem, file in files.items():
        name = getattr(file.model, "service", stem)
        if name != stem:
            yield file.problem_at(("service",), f"expected {stem}, the name of the file, found {name}")
        elif name in taken_names:
            yield file.problem_at(("service",), "expected another name: it is that of a built-in service")


def _missing_file_problems(files: Files[Model], others: Collection[str], folder: Path) -> Iterator[str]:
    """Yield a problem for each file without the other file of its service."""
    for stem, file in files.items():
        if stem not in others:
            yield file.problem_at((), f"expected a second file {folder / stem}.yaml, found none")


def _signal_problems(declaration_files: Files[Declaration], entry_files: Files[Service]) -> Iterator[str]:
    """Yield the contradictions between the two files of a service: in signals, and in `bounded_by`."""
    for name in declaration_files.keys() & entry_files.keys():
        declaration, entry = declaration_files[name], entry_files[name]
        if declaration.model and entry.model:
            signals, entries = declaration.model.signals, entry.model.signals
            yield from _missing_signal_problems(declaration, signals, entry.name, entries)
            yield from _missing_signal_problems(entry, entries, declaration.name, signals)
            yield from _state_problems(declaration.model, entry, entry.model)
            yield from _command_problems(declaration.model, entry, entry.model)
            yield from _bound_problems(declaration.model, entry, entry.model)


def _state_problems(declaration: Declaration, file: ModelFile[Service], entry: Service) -> Iterator[str]:
    """Yield a problem for each signal whose entry and declaration differ about `saturation_is_state`."""
    for name in declaration.signals.keys() & entry.signals.keys():
        is_state = declaration.signals[name].saturated is not None
        if entry.signals[name].saturation_is_state is not is_state:
            location = ("signals", name, "saturation_is_state")
            yield file.problem_at(location, f"expected {str(is_state).lower()}, as the declaration says")


def _command_problems(declaration: Declaration, file: ModelFile[Service], entry: Service) -> Iterator[str]:
    """Yield a problem for each placeholder of a command that would never have a value."""
    for name in declaration.signals.keys() & entry.signals.keys():
        command = entry.signals[name].command
        placeholders = dict.fromkeys(PLACEHOLDER.findall(command.run)) if command else {}
        known = _known_placeholders(declaration, entry.signals[name]) if placeholders else frozenset()
        for placeholder in placeholders:
            if placeholder not in known:
                sentence = f"expected a placeholder of {', '.join(sorted(known))}, found {placeholder}"
                hint = suggestion(placeholder, known)
                yield file.problem_at(("signals", name, "command"), f"{sentence}{hint}")


def _known_placeholders(declaration: Declaration, signal: Signal) -> frozenset[str]:
    """Return the placeholders that have a value in a command: among them the kinds of the resource's path."""
    kinds = declaration.lineage(declaration.signals[signal.name].resource)
    quota = QUOTA_PLACEHOLDERS if signal.quota else ()
    return frozenset({*kinds, *CELL_PLACEHOLDERS, *quota, NUMBER_PLACEHOLDER})


def _bound_problems(declaration: Declaration, file: ModelFile[Service], entry: Service) -> Iterator[str]:
    """Yield the problems of the entries of `bounded_by` that do not fit the metrics of the declaration."""
    metrics = [declaration.metric(key) for key in declaration.metrics]
    for number, bound in enumerate(entry.bounded_by):
        for problem in bound_problems(bound, metrics):
            yield file.problem_at(("bounded_by", number, "metrics"), problem)


def _missing_signal_problems(
    file: ModelFile[Model], signals: Collection[str], other: str, others: Collection[str]
) -> Iterator[str]:
    """Yield a problem for each of a file's signals that is not in `others`, the signals of the other file."""
    for name in signals:
        if name not in others:
            hint = suggestion(name, others)
            yield file.problem_at(("signals", name), f"expected a signal of {other}, found {name}{hint}")
