"""Matchers on labels, in Alertmanager's syntax (its UTF-8 parser, 0.27 and later).

`severity="critical"`, `service=~"kinesis|sqs"`, `!=`, `!~`. Commas separate several matchers, which may be in
braces. A name or value that contains spaces, a backtick or one of `{}!=~,\\"'` must be quoted; within quotes
a backslash is written twice. https://prometheus.io/docs/alerting/latest/configuration/#matcher
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from monitor.lib.errors import HeadroomError

MAX_LENGTH = 4096  # characters of the text of a list of matchers
MAX_REGEX_LENGTH = 1000  # characters of a regex
MAX_MATCHERS = 64  # matchers in a list
MAX_REGEX_MEMORY = 1024**2  # bytes of a compiled regex

TOKEN = re.compile(
    r'\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<mark>=~|!~|!=|[={},])|(?P<plain>[^\s{}!=~,\\"\'`]+))', re.DOTALL
)
ESCAPE = re.compile(r'\\(?:(["\\nrt])|u([0-9a-fA-F]{4})|.)', re.DOTALL)
CHARACTER_OF_ESCAPE = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
UNQUOTED_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OPERATORS = ("=", "!=", "=~", "!~")
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a surrogate pair, which UTF-8 cannot encode

LabelSet = Mapping[str, str]


class MatcherError(HeadroomError, ValueError):
    """The text of matchers is invalid. column: the position of the invalid character, counted from 1."""

    def __init__(self, column: int, sentence: str) -> None:
        self.column = column
        super().__init__(f"column {column}: {sentence}")


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label. An absent label has an empty value; a regex must match the whole value.

    A condition on `resource` is applied to the resource's name and to its id: `=` and `=~` match if one of
    them satisfies the condition, `!=` and `!~` if both do. Regexes are RE2's, which need time proportional to
    the length of the value.
    """

    name: str
    operator: str
    value: str

    def matches(self, labels: LabelSet) -> bool:
        """Return true if the labels satisfy the condition."""
        values = [labels.get(self.name, "")]
        if self.name == "resource" and "resource_id" in labels:
            values.append(labels["resource_id"])
        return any(map(self._value_matches, values)) != self.operator.startswith("!")

    def _value_matches(self, value: str) -> bool:
        if not self.operator.endswith("~"):
            return value == self.value
        # RE2 needs UTF-8, which cannot encode lone surrogates: they are replaced.
        text = value.encode("utf-8", "replace").decode()
        return compile_regex(self.value).fullmatch(text) is not None

    def __str__(self) -> str:
        name = self.name if UNQUOTED_NAME.fullmatch(self.name) else _quote(self.name)
        return f"{name}{self.operator}{_quote(self.value)}"


def all_match(matchers: Iterable[Matcher], labels: LabelSet) -> bool:
    """Return true if all matchers match; an empty list matches."""
    return all(matcher.matches(labels) for matcher in matchers)


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """Parse a list of matchers, which may be empty or `{}`. Raises MatcherError."""
    if len(text) > MAX_LENGTH:
        raise MatcherError(MAX_LENGTH + 1, f"expected at most {MAX_LENGTH} characters, found {len(text)}")
    if surrogate := SURROGATE.search(text):
        raise MatcherError(surrogate.start() + 1, "expected text in UTF-8, found half of a surrogate pair")
    parser = _MatcherParser(text)
    has_braces = bool(parser.take("{"))
    matchers: list[Matcher] = []
    while not parser.at("}", ""):
        matchers.append(parser.parse_matcher())
        if len(matchers) > MAX_MATCHERS:
            raise MatcherError(parser.column, f"expected at most {MAX_MATCHERS} matchers, found more")
        if not parser.take(","):
            break
    if has_braces:
        parser.expect("a comma or }", "}")
    parser.expect("the end" if has_braces else "a comma or the end", "")
    return tuple(matchers)


def parse_matcher_lists(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Parse several lists of matchers, with at most MAX_MATCHERS in total. Raises MatcherError."""
    matchers: list[Matcher] = []
    for text in texts:
        matchers += parse_matchers(text)
        if len(matchers) > MAX_MATCHERS:
            raise MatcherError(1, f"expected at most {MAX_MATCHERS} matchers, found more")
    return tuple(matchers)


@lru_cache(maxsize=8192)
def compile_regex(pattern: str) -> Any:
    """Compile a regex. Raises ValueError with a readable message if RE2 rejects it."""
    if len(pattern) > MAX_REGEX_LENGTH:
        raise ValueError(f"expected a regex of at most {MAX_REGEX_LENGTH} characters, found {len(pattern)}")
    import re2  # noqa: PLC0415 - the module takes 1.5 MiB, and most matchers need no regex

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_REGEX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0]
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"expected a regex that RE2 accepts: {reason}") from None
    except UnicodeEncodeError:
        raise ValueError("expected a regex in UTF-8") from None


class _Token(NamedTuple):
    kind: str  # "word" for a name or value; a mark such as "=" or "{" is its own kind; "" is the end
    value: str
    column: int


def _tokenize(text: str) -> Iterator[_Token]:
    end, position = len(text.rstrip()), 0
    while position < end:
        token = TOKEN.match(text, position)
        if not token:
            position += len(text[position:]) - len(text[position:].lstrip())
            raise MatcherError(position + 1, _describe_invalid_character(text[position]))
        column = token.start(str(token.lastgroup)) + 1
        value = token[str(token.lastgroup)]
        if token.lastgroup == "quoted":
            value = _unquote(value, column)
        yield _Token(value if token.lastgroup == "mark" else "word", value, column)
        position = token.end()
    yield _Token("", "the end", end + 1)


def _describe_invalid_character(character: str) -> str:
    if character == '"':
        return "expected a closing quote, found none"
    return f"expected a name, a value or an operator, found {character!r}; quote it"


def _unquote(text: str, column: int) -> str:
    def unescape(escape: re.Match[str]) -> str:
        if escape[1] or escape[2]:
            return (
                CHARACTER_OF_ESCAPE[escape[1]]
                if escape[1]
                else _decode_character(int(escape[2], 16), column + escape.start())
            )
        position = column + 1 + escape.start()
        raise MatcherError(
            position, f"expected an escape such as \\n or \\\\, found {escape[0]}; double the backslash"
        )

    return ESCAPE.sub(unescape, text[1:-1])


def _decode_character(code: int, column: int) -> str:
    if SURROGATE.match(chr(code)):
        raise MatcherError(column, f"expected a character, found half of a surrogate pair, \\u{code:04x}")
    return chr(code)


def _quote(text: str) -> str:
    for mark, character in (("\\", "\\"), ('"', '"'), ("n", "\n"), ("r", "\r"), ("t", "\t")):
        text = text.replace(character, "\\" + mark)
    return f'"{text}"'


class _MatcherParser:
    """Parses the tokens of a list of matchers from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = deque(_tokenize(text))

    @property
    def column(self) -> int:
        """The column of the next token."""
        return self._tokens[0].column

    def at(self, *kinds: str) -> bool:
        """Return true if the next token has one of the kinds."""
        return self._tokens[0].kind in kinds

    def take(self, *kinds: str) -> _Token | None:
        """Return the next token if it has one of the kinds. Removes it, unless it is the end of the text."""
        if not self.at(*kinds):
            return None
        return self._tokens.popleft() if self._tokens[0].kind else self._tokens[0]

    def expect(self, expected: str, *kinds: str) -> _Token:
        """Remove and return the next token. Raises MatcherError unless it has one of the kinds.

        expected: the kinds in words.
        """
        if token := self.take(*kinds):
            return token
        token = self._tokens[0]
        raise MatcherError(
            token.column,
            f"expected {expected}, found {repr(token.value) if token.kind else token.value}",
        )

    def parse_matcher(self) -> Matcher:
        """Parse one matcher. Raises MatcherError."""
        name = self.expect("a label's name", "word")
        if not name.value:
            raise MatcherError(name.column, "expected a label's name, found ''")
        operator = self.expect("an operator (=, !=, =~ or !~)", *OPERATORS)
        value = self.expect("a value, or two quotes for none", "word")
        try:
            if operator.value.endswith("~"):
                compile_regex(value.value)
        except ValueError as error:
            raise MatcherError(value.column, str(error)) from None
        return Matcher(name.value, operator.value, value.value)
