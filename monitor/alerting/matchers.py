"""Matchers on labels, in Alertmanager's syntax (its UTF-8 parser, 0.27 and later).

`severity="critical"`, `service=~"kinesis|sqs"`, `!=`, `!~`; several are a list with commas, in braces or not.
Names and values are quoted where they hold spaces or one of `{}!=~,\\"'` and the backtick; within quotes a
backslash is written twice. https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import re2

LONGEST = 4096  # characters of a list of matchers
LONGEST_REGEX = 1000  # characters
MOST = 64  # matchers in a list
REGEX_MEMORY = 1024**2  # bytes that a compiled regex may take

TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<mark>=~|!~|!=|[={},])|(?P<plain>[^\s{}!=~,\\"\'`]+))', re.DOTALL
)
ESCAPE = re.compile(r'\\(?:(["\\nrt])|u([0-9a-fA-F]{4})|.)', re.DOTALL)
ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
PLAIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OPERATORS = ("=", "!=", "=~", "!~")

Labels = Mapping[str, str]


class MatcherError(ValueError):
    """What is wrong with matchers, as a sentence without a capital; `column` (from 1) says where."""

    def __init__(self, column: int, what: str) -> None:
        self.column = column
        super().__init__(f"column {column}: {what}")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is absent has the empty value; a regex matches all of it.

    Regexes are RE2's, which takes time proportional to the value, whatever the pattern.
    """

    name: str
    operator: str
    value: str

    def matches(self, labels: Labels) -> bool:
        found = labels.get(self.name, "")
        if self.operator.endswith("~"):
            whole = found.encode("utf-8", "replace").decode()  # a lone surrogate is no UTF-8
            same = compiled(self.value).fullmatch(whole) is not None
        else:
            same = found == self.value
        return same != self.operator.startswith("!")

    def __str__(self) -> str:
        name = self.name if PLAIN.fullmatch(self.name) else _quoted(self.name)
        return f"{name}{self.operator}{_quoted(self.value)}"


def match(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether all matchers match; none at all do."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers in `text`; none when it is empty or `{}`. Raises MatcherError."""
    if len(text) > LONGEST:
        raise MatcherError(LONGEST + 1, f"expected at most {LONGEST} characters, found {len(text)}")
    reader = _Reader(text)
    braced = bool(reader.take("{"))
    found: list[Matcher] = []
    while not reader.at("}", ""):
        found.append(reader.matcher())
        if len(found) > MOST:
            raise MatcherError(reader.column, f"expected at most {MOST} matchers, found more")
        if not reader.take(","):
            break
    if braced:
        reader.expect("a comma or }", "}")
    reader.expect("the end" if braced else "a comma or the end", "")
    return tuple(found)


@lru_cache(maxsize=8192)
def compiled(pattern: str) -> Any:
    """The regex, ready to use. Raises ValueError, in words, for what RE2 does not take."""
    if len(pattern) > LONGEST_REGEX:
        raise ValueError(f"expected a regex of at most {LONGEST_REGEX} characters, found {len(pattern)}")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = REGEX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"expected a regex that RE2 takes: {reason}") from None
    except UnicodeEncodeError:
        raise ValueError("expected a regex in UTF-8") from None


class _Token(NamedTuple):
    kind: str  # "word", a mark such as "=" or "{", "" at the end
    value: str
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    end, place = len(text.rstrip()), 0
    while place < end:
        token = TOKEN.match(text, place)
        if not token:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise MatcherError(place + 1, _unreadable(text[place]))
        column = token.start(str(token.lastgroup)) + 1
        value = token[str(token.lastgroup)]
        if token.lastgroup == "quoted":
            value = _unquoted(value, column)
        yield _Token(value if token.lastgroup == "mark" else "word", value, column)
        place = token.end()
    yield _Token("", "the end", end + 1)


def _unreadable(character: str) -> str:
    if character == '"':
        return "expected a closing quote, found none"
    return f"expected a name, a value or an operator, found {character!r}; quote it"


def _unquoted(text: str, column: int) -> str:
    def plain(escape: re.Match[str]) -> str:
        if escape[1] or escape[2]:
            return ESCAPED[escape[1]] if escape[1] else chr(int(escape[2], 16))
        place = column + 1 + escape.start()
        raise MatcherError(
            place, f"expected an escape such as \\n or \\\\, found {escape[0]}; double the backslash"
        )

    return ESCAPE.sub(plain, text[1:-1])


def _quoted(text: str) -> str:
    for mark, character in (("\\", "\\"), ('"', '"'), ("n", "\n"), ("r", "\r"), ("t", "\t")):
        text = text.replace(character, "\\" + mark)
    return f'"{text}"'


class _Reader:
    """The tokens of a list of matchers, taken from the left."""

    def __init__(self, text: str) -> None:
        self._tokens = deque(_tokens(text))

    @property
    def column(self) -> int:
        return self._tokens[0].column

    def at(self, *kinds: str) -> bool:
        return self._tokens[0].kind in kinds

    def take(self, *kinds: str) -> _Token | None:
        """The next token, if it is of one of these kinds; the end is never taken away."""
        if not self.at(*kinds):
            return None
        return self._tokens.popleft() if self._tokens[0].kind else self._tokens[0]

    def expect(self, what: str, *kinds: str) -> _Token:
        if token := self.take(*kinds):
            return token
        found = self._tokens[0]
        raise MatcherError(
            found.column, f"expected {what}, found {repr(found.value) if found.kind else found.value}"
        )

    def matcher(self) -> Matcher:
        name = self.expect("a label's name", "word")
        if not name.value:
            raise MatcherError(name.column, "expected a label's name, found ''")
        operator = self.expect("an operator (=, !=, =~ or !~)", *OPERATORS)
        value = self.expect("a value, or two quotes for none", "word")
        try:
            if operator.value.endswith("~"):
                compiled(value.value)
        except ValueError as error:
            raise MatcherError(value.column, str(error)) from None
        return Matcher(name.value, operator.value, value.value)
