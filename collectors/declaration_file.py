"""Reads declarations of services, with every problem's file, line and place."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from collectors.declaration import Declaration
from collectors.declaration_problems import Problem, problems_of
from monitor.lib.errors import HeadroomError
from rules.strict_yaml import Document, Where, parse_document

Check = Callable[[Declaration], list[Problem]]

MAX_FILE_SIZE = 1024**2  # bytes
MAX_SHOWN_PROBLEMS = 50


class DeclarationError(HeadroomError, ValueError):
    """A declaration that cannot be used. problems: one line each, with file and line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def read_declaration(path: Path, further_check: Check | None = None) -> Declaration:
    """Read the declaration of a service. Raises DeclarationError with all its problems."""
    with path.open("rb") as file:
        return parse_declaration(file.read(MAX_FILE_SIZE + 1), path.name, further_check)


def parse_declaration(content: bytes, file: str, further_check: Check | None = None) -> Declaration:
    """Parse a declaration; `file` is its name in messages. Raises DeclarationError with all its problems.

    further_check: of what has no other problems, such as `collectors.declaration_models.model_problems`.
    """
    document = _read_document(content, file)
    problems: list[Problem] = [*document.problems]
    try:
        declaration = Declaration.model_validate(document.data)
        problems += problems_of(declaration)
        if further_check and not problems:
            problems += further_check(declaration)
    except ValidationError as error:
        problems += _schema_problems(error)
    if problems:
        raise DeclarationError(_problem_lines(file, document, problems))
    return declaration


def _read_document(content: bytes, file: str) -> Document:
    """Return the YAML document of a declaration. Raises DeclarationError."""
    if len(content) > MAX_FILE_SIZE:
        raise DeclarationError([f"{file}: expected at most 1 MiB"])
    try:
        return parse_document(content)
    except ValueError as error:
        raise DeclarationError([f"{file}: {error}"]) from None


def _problem_lines(file: str, document: Document, problems: list[Problem]) -> list[str]:
    """Return one line per problem: file, line, place, sentence; the last tells how many more there are."""
    lines = [
        f"{file}:{document.line(where)}: {'.'.join(map(str, where)) or 'file'}: {sentence}"
        for where, sentence in problems[:MAX_SHOWN_PROBLEMS]
    ]
    more = len(problems) - len(lines)
    return [*lines, f"{file}: {more} more problems"] if more else lines


def _schema_problems(error: ValidationError) -> Iterator[tuple[Where, str]]:
    for one in error.errors():
        where = tuple(part for part in one["loc"] if part not in ("[key]", ""))
        if one["type"] == "extra_forbidden":
            *parents, key = where
            yield where, f"unknown key{suggestion(str(key), _keys(parents))}"
        elif one["type"] == "missing":
            yield where, "missing"
        else:
            yield where, str(one.get("ctx", {}).get("error", one["msg"]))


def _keys(parents: list[int | str]) -> list[str]:
    """The keys of the model at a place of the file."""
    model: type[BaseModel] = Declaration
    entries: type[BaseModel] | None = None  # of the mapping or list that a step leads to
    for step in parents:
        if entries:
            model, entries = entries, None
        elif field := model.model_fields.get(str(step)):
            inner = _model_in(field.annotation)
            model, entries = (model, inner) if _is_collection(field.annotation) else (inner or model, None)
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _is_collection(annotation: Any) -> bool:
    return get_origin(annotation) in (Mapping, tuple)


def suggestion(word: str, known: Iterator[str] | list[str]) -> str:
    """Return `; did you mean NAME?` with the most similar known name, or nothing."""
    similar = get_close_matches(word, list(known), n=1)
    return f"; did you mean {similar[0]}?" if similar else ""
