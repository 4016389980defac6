"""Reads declarations of services, with every problem's file, line and place."""

from collections.abc import Callable, Iterator
from pathlib import Path

from collectors.declaration import Declaration
from collectors.declaration_error import DeclarationError
from collectors.declaration_problems import problems_of
from rules.model_file import MAX_FILE_SIZE, FileProblem, ModelFile, parse_model

Check = Callable[[Declaration], list[FileProblem]]


def read_declaration(path: Path, further_check: Check | None = None) -> Declaration:
    """Read the declaration of a service. Raises DeclarationError with all its problems, and OSError."""
    with path.open("rb") as file:
        return parse_declaration(file.read(MAX_FILE_SIZE + 1), path.name, further_check)


def parse_declaration(content: bytes, file: str, further_check: Check | None = None) -> Declaration:
    """Parse a declaration; `file` is its name in messages. Raises DeclarationError with all its problems."""
    parsed = declaration_file(content, file, further_check)
    if parsed.model is None:
        raise DeclarationError(parsed.problems)
    return parsed.model


def declaration_file(content: bytes, name: str, further_check: Check | None = None) -> ModelFile[Declaration]:
    """Return the file of a declaration, with its problems.

    further_check: a check that is made if no other problem is found, such as
    `collectors.botocore_problems.botocore_problems`.
    """

    def check(declaration: Declaration) -> Iterator[FileProblem]:
        problems = problems_of(declaration)
        yield from problems or (further_check(declaration) if further_check else ())

    return parse_model(content, name, Declaration, check)
