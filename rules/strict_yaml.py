"""A strict reader of YAML for the configuration and the catalogue.

Plain scalars follow YAML 1.2's core schema, so that `no` is text, and so is `012345678901`, an account id.
Aliases, tags, repeated keys and several documents are rejected.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

MAX_DEPTH = 16  # levels of nesting

Where = tuple[int | str, ...]  # keys and indexes from the top of the document

NULL = re.compile(r"~|null|Null|NULL|")
BOOLEAN = re.compile(r"(true|True|TRUE)|false|False|FALSE")
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
FLOAT = re.compile(r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?|[0-9]+[eE][-+]?[0-9]{1,3})")


class YamlProblem(NamedTuple):
    """A problem of a document. where: the keys that lead to it. what: a sentence with line and column."""

    where: Where
    what: str


class Document(NamedTuple):
    """The data of a document, None when it is empty, its problems, and the line of each key and item."""

    data: Any
    problems: list[YamlProblem]
    lines: dict[Where, int]

    def line(self, where: Where) -> int:
        """Return the line of a place, or of the nearest place around it that is in the document."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def parse(content: bytes) -> tuple[Any, list[YamlProblem]]:
    """Return the data of the one document in `content`, None when there is none, and its problems.

    Raises ValueError, with the line, when it is not UTF-8, not YAML, nested too deeply, or several documents.
    """
    document = parse_document(content)
    return document.data, document.problems


def parse_document(content: bytes) -> Document:
    """Return the one document in `content`. Raises as `parse` does."""
    try:
        reader = _EventReader(content.decode("utf-8-sig"))
        return Document(reader.document(), reader.problems, reader.lines)
    except UnicodeDecodeError as error:
        line = _line(content, error.start)
        raise ValueError(
            f"expected UTF-8, found the byte 0x{content[error.start]:02x} (line {line})"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"{error.problem} ({_place(error.problem_mark)})") from None
    except yaml.reader.ReaderError as error:
        raise ValueError(f"{error.reason} (line {_line(content, error.position)})") from None


def _line(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _line_of(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


class _EventReader:
    """Builds data from the events of the parser, which do not expand aliases or create objects."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self.problems: list[YamlProblem] = []
        self.lines: dict[Where, int] = {}

    def document(self) -> Any:
        data = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise ValueError(f"expected one document, found another ({_place(event.start_mark)})")
                data = self.value(next(self.events), ())
        return data

    def value(self, event: yaml.Event, where: Where) -> Any:
        self.lines.setdefault(where, _line_of(event))
        if len(where) > MAX_DEPTH:
            raise ValueError(f"nested too deeply ({_place(event.start_mark)})")
        if isinstance(event, yaml.AliasEvent):
            return self.add_problem(where, "aliases are not supported", event)
        if getattr(event, "tag", None) is not None:
            self.add_problem(where, "tags are not supported", event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = enumerate(self.until(yaml.SequenceEndEvent))
            return [self.value(item, (*where, index)) for index, item in items]
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(where)
        return scalar(event) if isinstance(event, yaml.ScalarEvent) else None

    def mapping(self, where: Where) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for event in self.until(yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self.add_problem(where, "expected text as a key", event)
                self.value(event, (*where, "?"))
                self.value(next(self.events), (*where, "?"))
                continue
            key: str = event.value
            self.lines[*where, key] = _line_of(event)
            if key in data:
                self.add_problem((*where, key), "given twice", event)
            data[key] = self.value(next(self.events), (*where, key))
        return data

    def until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        """Yield the events until the `end` of this level; the caller consumes the contents of each event."""
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def add_problem(self, where: Where, what: str, event: yaml.Event) -> None:
        self.problems.append(YamlProblem(where, f"{what} ({_place(event.start_mark)})"))


def scalar(event: yaml.ScalarEvent) -> Any:
    """Return the value of a scalar; a quoted one is always text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if NULL.fullmatch(text):
        return None
    if boolean := BOOLEAN.fullmatch(text):
        return bool(boolean[1])
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if FLOAT.fullmatch(text) else text
