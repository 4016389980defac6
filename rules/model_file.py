"""Reads models from YAML files, with the file, the line and the place of every problem."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from rules.plurals import count_of
from rules.problem_text import SCALAR_NAMES, suggestion
from rules.strict_yaml import Document, DocumentPath, named_line, parse_document

MAX_FILE_SIZE = 1024**2  # bytes
MAX_SHOWN_PROBLEMS = 50  # problems of a file; further problems are only counted
MAX_SHOWN_LENGTH = 60  # characters of a value in a problem

EMPTY_DOCUMENT = Document(None, [], {})

FileProblem = tuple[DocumentPath, str]  # the place of a problem, and a sentence
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ModelFile(Generic[Model]):
    """A YAML file that was read.

    name: the name in messages.
    content: None if it cannot be read.
    model: None if it has problems.
    problems: one line each, `FILE:LINE: PLACE: SENTENCE`.
    """

    name: str
    content: bytes | None
    model: Model | None
    problems: list[str]

    def problem_at(self, where: DocumentPath, sentence: str) -> str:
        """Return the line, as in `problems`, of a problem that was found later.

        Parses the content again, as the line numbers of all places take more memory than the model.
        """
        document = EMPTY_DOCUMENT if self.content is None else parse_document(self.content)
        return _line(self.name, document, (where, sentence))


def parse_model(
    content: bytes,
    name: str,
    model: type[Model],
    check: Callable[[Model], Iterable[FileProblem]] | None = None,
) -> ModelFile[Model]:
    """Read a model from the content of a file.

    check: yields the problems that the validators of the model cannot find.
    """
    try:
        if len(content) > MAX_FILE_SIZE:
            raise ValueError("expected at most 1 MiB")
        document = parse_document(content)
    except ValueError as error:
        return unreadable_file(name, str(error), named_line(error))
    validated: Model | None = None
    problems: list[FileProblem] = [*document.problems]
    try:
        validated = model.model_validate(document.data)
        problems += check(validated) if check else ()
    except ValidationError as error:
        problems += _schema_problems(error, model)
    return ModelFile(name, content, None if problems else validated, _lines(name, document, problems))


def unreadable_file(name: str, reason: str, line: int = 1) -> ModelFile[Any]:
    """Return the ModelFile of a file that cannot be read. line: the line of the error."""
    return ModelFile(name, None, None, [f"{name}:{line}: file: {reason}"])


def error_at(where: DocumentPath, sentence: str) -> PydanticCustomError:
    """Return the error for a model's validator to raise about a place within the model."""
    return PydanticCustomError("problem", "{sentence}", {"sentence": sentence, "where": where})


def _lines(name: str, document: Document, problems: list[FileProblem]) -> list[str]:
    """Return one line per problem; if there are too many, a last line with the number of hidden problems."""
    lines = [_line(name, document, problem) for problem in problems[:MAX_SHOWN_PROBLEMS]]
    hidden_count = len(problems) - len(lines)
    return [*lines, f"{name}: {count_of(hidden_count, 'more problem')}"] if hidden_count else lines


def _line(name: str, document: Document, problem: FileProblem) -> str:
    where, sentence = problem
    return f"{name}:{document.line(where)}: {'.'.join(map(str, where)) or 'file'}: {sentence}"


def _schema_problems(error: ValidationError, model: type[BaseModel]) -> Iterator[FileProblem]:
    errors = error.errors()
    enclosing_places = {details["loc"][:end] for details in errors for end in range(len(details["loc"]))}
    for details in errors:
        if details["type"] == "too_short" and details["loc"] in enclosing_places:
            continue  # pydantic does not count the invalid item, whose own error is reported
        inner_place = details.get("ctx", {}).get("where", ())
        where = tuple(part for part in (*details["loc"], *inner_place) if part not in ("[key]", ""))
        yield where, _sentence(details, where, model)


def _sentence(error: ErrorDetails, where: DocumentPath, model: type[BaseModel]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key{suggestion(str(where[-1]), keys_at(model, where[:-1]))}"
        case "missing":
            return "missing"
        case "model_type" | "dict_type" | "mapping_type":
            keys = ", ".join(keys_at(model, where))
            expected = f"a mapping of {keys}" if keys else "a mapping"
        case "too_short":
            return f"expected at least {context['min_length']:,}, found {context['actual_length']:,}"
        case "tuple_type" | "list_type":
            expected = "a list"
        case "literal_error" | "enum":
            expected = str(context["expected"])
        case "string_pattern_mismatch":
            expected = f"text that matches {context['pattern']}"
        case kind if kind in SCALAR_NAMES:
            expected = SCALAR_NAMES[kind].format(**context)
        case _:
            return str(context.get("error", error["msg"]))
    return f"expected {expected}, found {_shown(error['input'])}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}..."


def keys_at(model: type[BaseModel], where: DocumentPath) -> list[str]:
    """Return the keys that a model allows at a place; none where the author of the file chooses the keys."""
    entries: type[BaseModel] | None = None  # the model of the entries of a mapping or list
    for step in where:
        if entries:
            model, entries = entries, None
            continue
        annotation = _annotations(model).get(str(step))
        inner = _model_in(annotation)
        if inner is None:
            return []
        if _is_collection(annotation):
            entries = inner
        else:
            model = inner
    return [] if entries else list(_annotations(model))


def _annotations(model: type[BaseModel]) -> dict[str, Any]:
    """Return the annotations of a model's fields, by their keys in the file."""
    fields = model.model_fields.items()
    return {str(field.validation_alias or name): field.annotation for name, field in fields}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation such as `Mapping[str, Signal]` names; None without one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _is_collection(annotation: Any) -> bool:
    return get_origin(annotation) in (Mapping, tuple)
