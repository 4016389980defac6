"""A strict reader of YAML for the configuration and the catalogue.

A plain scalar that `PLAIN` does not match is text: `no`, and `012345678901`, an account id.
Aliases, tags, repeated keys and several documents are rejected.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 16  # levels of nesting

DocumentPath = tuple[int | str, ...]  # keys and indexes from the top of the document

# The plain scalars that are not text; the name of each group is their type.
PLAIN = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<true>true|True|TRUE)"
    r"|(?P<false>false|False|FALSE)"
    r"|(?P<integer>[-+]?(?:0|[1-9][0-9]{0,17}))"
    r"|(?P<float>[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?|[0-9]+[eE][-+]?[0-9]{1,3}))"
)
VALUES: Mapping[str | None, Callable[[str], Any]] = {
    "null": lambda _: None,
    "true": lambda _: True,
    "false": lambda _: False,
    "integer": int,
    "float": float,
}


class YamlProblem(NamedTuple):
    """A problem of a document. where: the keys that lead to it. what: a sentence with line and column."""

    where: DocumentPath
    what: str


class Document(NamedTuple):
    """The data of a document (None if it is empty), its problems, and the line of each key and item."""

    data: Any
    problems: list[YamlProblem]
    lines: dict[DocumentPath, int]

    def line(self, where: DocumentPath) -> int:
        """Return the line of a value; of the nearest value around it if the document lacks it."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def parse(content: bytes) -> tuple[Any, list[YamlProblem]]:
    """Return the data of the one document in `content` (None if there is none), and its problems.

    Raises ValueError, with the line, if it is not UTF-8, not YAML, nested too deeply, or several documents.
    """
    document = parse_document(content)
    return document.data, document.problems


def parse_document(content: bytes) -> Document:
    """Return the one document in `content`. Raises as `parse` does."""
    try:
        reader = _EventReader(content.decode("utf-8-sig"))
        return Document(reader.read_document(), reader.problems, reader.lines)
    except UnicodeDecodeError as error:
        line = _line(content, error.start)
        raise ValueError(
            f"expected UTF-8, found the byte 0x{content[error.start]:02x} (line {line})"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"{error.problem} ({_line_and_column(error.problem_mark)})") from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"{error.reason} (line {_line(content, error.position)})") from None


def named_line(error: ValueError) -> int:
    """Return the line that an error of `parse_document` names; 1 if it names no line."""
    found = re.search(r"\(line (\d+)[^()]*\)$", str(error))
    return int(found[1]) if found else 1


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _line_and_column(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


class _EventReader:
    """Builds data from the events of the parser, which do not expand aliases or create objects."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self.problems: list[YamlProblem] = []
        self.lines: dict[DocumentPath, int] = {}

    def read_document(self) -> Any:
        data = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise ValueError(
                        f"expected one document, found another ({_line_and_column(event.start_mark)})"
                    )
                first = next(self.events)
                self.lines[()] = _line_of(first)
                data = self.read_value(first, ())
        return data

    def read_value(self, event: Any, where: DocumentPath) -> Any:
        """Return the value that begins with an event. where: the path of the value, whose line is known."""
        if len(where) > MAX_DEPTH:
            raise ValueError(f"nested too deeply ({_line_and_column(event.start_mark)})")
        kind = type(event)
        if kind is yaml.AliasEvent:
            return self.add_problem(where, "aliases are not supported", event)
        if event.tag is not None:
            self.add_problem(where, "tags are not supported", event)
        if kind is yaml.ScalarEvent:
            return scalar_value(event)
        return self.read_mapping(where) if kind is yaml.MappingStartEvent else self.read_sequence(where)

    def read_sequence(self, where: DocumentPath) -> list[Any]:
        data: list[Any] = []
        while type(event := next(self.events)) is not yaml.SequenceEndEvent:
            place = (*where, len(data))
            self.lines[place] = _line_of(event)
            data.append(self.read_value(event, place))
        return data

    def read_mapping(self, where: DocumentPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while type(event := next(self.events)) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                self.add_problem(where, "expected text as a key", event)
                self.lines.setdefault((*where, "?"), _line_of(event))
                self.read_value(event, (*where, "?"))
                self.read_value(next(self.events), (*where, "?"))
                continue
            key: str = event.value
            place = (*where, key)
            self.lines[place] = _line_of(event)
            if key in data:
                self.add_problem(place, "given twice", event)
            data[key] = self.read_value(next(self.events), place)
        return data

    def add_problem(self, where: DocumentPath, what: str, event: yaml.Event) -> None:
        self.problems.append(YamlProblem(where, f"{what} ({_line_and_column(event.start_mark)})"))


def scalar_value(event: yaml.ScalarEvent) -> Any:
    """Return the value of a scalar; a quoted scalar is always text."""
    text: str = event.value
    found = PLAIN.fullmatch(text) if event.implicit[0] else None
    return VALUES[found.lastgroup](text) if found else text
