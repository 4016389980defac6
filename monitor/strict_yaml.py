"""YAML read strictly: what a configuration file needs of it, and none of its surprises.

Plain scalars follow YAML 1.2's core schema, so that `no` is text, and so is `012345678901`, an account id.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from monitor.config_errors import Problem, Where

DEEPEST = 16  # levels of nesting

NOTHING = re.compile(r"~|null|Null|NULL|")
TRUTH = re.compile(r"(true|True|TRUE)|false|False|FALSE")
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
REAL = re.compile(r"[-+]?(([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?|[0-9]+[eE][-+]?[0-9]{1,3})")


def parse(content: bytes) -> tuple[Any, list[Problem]]:
    """The data of the one document in `content` (None when there is none), and what it must not contain.

    Raises ValueError, saying where, for what is not UTF-8, no YAML, nested too deeply, or several documents.
    """
    try:
        reader = _Reader(content.decode("utf-8-sig"))
        return reader.document(), reader.problems
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


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


class _Reader:
    """Builds data from parser events: unlike nodes, they nest nothing and resolve nothing."""

    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        self.problems: list[Problem] = []

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
        if len(where) > DEEPEST:
            raise ValueError(f"nested too deeply ({_place(event.start_mark)})")
        if isinstance(event, yaml.AliasEvent):
            return self.refuse(where, "aliases are not supported", event)
        if getattr(event, "tag", None) is not None:
            self.refuse(where, "tags are not supported", event)
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
                self.refuse(where, "expected text as a key", event)
                self.value(event, (*where, "?"))
                self.value(next(self.events), (*where, "?"))
                continue
            key: str = event.value
            if key in data:
                self.refuse((*where, key), "given twice", event)
            data[key] = self.value(next(self.events), (*where, key))
        return data

    def until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        """The events up to the `end` of this level; whoever takes one takes what it contains."""
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def refuse(self, where: Where, what: str, event: yaml.Event) -> None:
        self.problems.append(Problem(where, f"{what} ({_place(event.start_mark)})"))


def scalar(event: yaml.ScalarEvent) -> Any:
    """The value of a scalar; quoted, it is always text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if NOTHING.fullmatch(text):
        return None
    if truth := TRUTH.fullmatch(text):
        return bool(truth[1])
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text
