"""Finding series in a snapshot: filters, order and pages, over columns."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from monitor.fleet.fleet import Series
from monitor.fleet.key import LABELS, Key
from monitor.fleet.search import MAX_SEARCH_LENGTH, parse_search
from monitor.fleet.search_match import GROUP_FIELDS, WILDCARDS, SearchIndex, search_flags
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import reach_columns, urgency_columns
from monitor.lib.errors import HeadroomError
from rules.arrays import Flags, Indices
from rules.band import ZONES, Zone

ZoneWord = Literal["saturated", "near", "above", "within", "below", "stale", "unobservable"]
Sort = Literal[
    "urgency",
    "utilization",
    "usage",
    "limit",
    "saturation",
    "sampled_at",
    "reach",
    "account",
    "region",
    "service",
    "signal",
    "resource",
]
Order = Literal["asc", "desc"]
SortValues = npt.NDArray[Any]  # values by which slots are sorted
CursorValue = float | str | None  # one value of a column, in a cursor

MAX_PAGE_SIZE = 1000
MAX_PATTERN_LENGTH = 8192  # characters of a pattern or cursor; a cursor may hold a resource's name
MAX_NAME_LENGTH = 2048  # characters of a name; escaping makes it up to three times as long
TEXT_FIELDS = LABELS  # fields sorted as text; all other fields are sorted as numbers
# `*part*`, the most common pattern: `in` finds the part faster than a regex.
CONTAINS_PATTERN = re.compile(r"\*([^*?[]*)\*")


def _escape_unclosed_brackets(pattern: str) -> str:
    """Escape each `[` after the last `]`: fnmatch would search the rest of the pattern for a `]`."""
    if not WILDCARDS & set(pattern):
        return pattern  # without wildcards, it is compared as plain text
    end = pattern.rfind("]") + 1
    return pattern[:end] + pattern[end:].replace("[", "[[]")


def _checked_search(text: str) -> str:
    """Return the text of a query. Raises SearchError, a ValueError, if it is invalid."""
    return str(parse_search(text))


class Query(BaseModel):
    """A query: which series to return, in which order, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(default=None, description="The 12-digit id of the account.")
    region: str | None = Field(default=None, description="The region, such as eu-west-1.")
    service: str | None = Field(default=None, description="The service, such as kinesis.")
    signal: str | None = Field(default=None, description="The signal, such as stream_write_bytes.")
    resource: (
        Annotated[str, Field(max_length=MAX_PATTERN_LENGTH), AfterValidator(_escape_unclosed_brackets)] | None
    ) = Field(
        default=None, description="The name or id of the resource; a shell pattern if it contains * or ?."
    )
    q: Annotated[str, Field(max_length=MAX_SEARCH_LENGTH), AfterValidator(_checked_search)] | None = Field(
        default=None, description="A search as on the overview page: `service:kinesis zone:near -orders`."
    )
    zone: list[ZoneWord] = Field(default=[], description="The zone of the listed series; repeatable.")
    sort: Sort = Field(
        default="urgency",
        description="The order of the series. urgency: the worst zone first, then the highest utilization. "
        "reach: the series that will probably reach its limit soonest first, series without a forecast last.",
    )
    order: Order | None = Field(
        default=None, description="The direction: asc by default for names, desc for numbers and urgency."
    )
    limit: int = Field(
        default=100, ge=1, le=MAX_PAGE_SIZE, description="The highest number of series in the answer."
    )
    cursor: str | None = Field(
        default=None, max_length=MAX_PATTERN_LENGTH, description="The cursor: `next` of the previous page."
    )

    @property
    def descending(self) -> bool:
        """True to sort in descending order, by default if values are numbers."""
        return self.order == "desc" if self.order else self.sort not in TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One page of slots.

    total: the number of matches on all pages. next: the cursor of the next page; None on the last one.
    zones: by zone, the number of its series that match all filters except `zone`.
    """

    slots: list[int]
    total: int
    next: str | None
    zones: Mapping[Zone, int]


class CursorError(HeadroomError, ValueError):
    """The cursor does not belong to a page of this query."""


def run_query(snapshot: Snapshot, query: Query) -> QueryResult:
    """Return one page of slots. Raises CursorError.

    A cursor holds the sort values of the last series of a page. A series whose values change between two
    requests may be on two pages or on none; every other series is on exactly one page.
    """
    selected = _matches_ignoring_zones(snapshot, query)
    matching = np.flatnonzero(selected & _is_in_zone(snapshot, query))
    columns = _sort_columns(snapshot, matching, query)
    after_cursor = (
        _are_after(columns, _decode_cursor(query, columns), query.descending) if query.cursor else slice(None)
    )
    remaining = [column[after_cursor] for column in columns]
    order = np.lexsort(remaining[::-1])
    page = order[::-1][: query.limit] if query.descending else order[: query.limit]
    has_next = order.size > query.limit
    cursor = _encode_cursor(query, [column[page[-1]] for column in remaining]) if has_next else None
    zones = snapshot.zone[selected]
    counts = {zone: int(np.count_nonzero(zones == zone)) for zone in sorted(Zone, reverse=True)}
    return QueryResult(matching[after_cursor][page].tolist(), matching.size, cursor, counts)


def matches(snapshot: Snapshot, query: Query) -> Flags:
    """Return which slots have a series that matches all filters of the query."""
    return _matches_ignoring_zones(snapshot, query) & _is_in_zone(snapshot, query)


def _is_in_zone(snapshot: Snapshot, query: Query) -> Flags:
    wanted = [ZONES[word] for word in query.zone] if query.zone else [*Zone]
    return np.isin(snapshot.zone, wanted)


def _matches_ignoring_zones(snapshot: Snapshot, query: Query) -> Flags:
    """Return which slots have a series that matches all filters except `zone`."""
    fields = [(index, getattr(query, field)) for index, field in enumerate(GROUP_FIELDS)]
    wanted = [(index, value) for index, value in fields if value is not None]
    is_wanted = [all(group[index] == value for index, value in wanted) for group in snapshot.groups]
    is_wanted.append(False)  # the last flag: slots without a series have the group -1
    selected: Flags = np.array(is_wanted, np.bool_)[snapshot.group]
    if query.q:
        selected &= search_flags(snapshot, parse_search(query.q), SearchIndex())
    if query.resource is not None:
        matches_resource = _resource_predicate(query.resource)
        selected[selected] = [matches_resource(series.key) for series in snapshot.series[selected].tolist()]
    return selected


def _resource_predicate(pattern: str) -> Callable[[Key], bool]:
    """Return a predicate of keys: true if the name or the id of the resource matches the pattern."""
    matches_text = _text_predicate(pattern)
    return lambda key: (
        matches_text(key.resource) or (bool(key.subject.names) and matches_text(key.subject.id))
    )


def _text_predicate(pattern: str) -> Callable[[str], bool]:
    if not WILDCARDS & set(pattern):
        return pattern.__eq__
    if contained := CONTAINS_PATTERN.fullmatch(pattern):
        part = contained[1]
        return lambda name: part in name
    regex = re.compile(translate(pattern))
    return lambda name: regex.match(name) is not None


def _sort_columns(snapshot: Snapshot, slots: Indices, query: Query) -> list[SortValues]:
    """Return the columns to sort by, most significant first; the slot makes the order total.

    Unknown values come last in either order.
    """
    unknown = -np.inf if query.descending else np.inf
    if query.sort in TEXT_FIELDS:
        texts = [getattr(snapshot.series[slot].key, query.sort) for slot in slots.tolist()]
        names = [text.encode(errors="replace").decode() for text in texts]
        return [np.array(names, np.dtypes.StringDType()), slots]
    if query.sort == "urgency":
        return [*urgency_columns(snapshot, slots, descending=query.descending), slots]
    if query.sort == "reach":
        return [*reach_columns(snapshot, slots, descending=query.descending), slots]
    name = "minute" if query.sort == "sampled_at" else query.sort
    return [_replace_unknown(getattr(snapshot, name)[slots], unknown), slots]


def _replace_unknown(values: SortValues, unknown: float) -> SortValues:
    """Return the values with `unknown` in place of NaN and of negative minutes such as NEVER."""
    replaced = values.astype(np.float64)
    replaced[~(replaced >= 0)] = unknown
    return replaced


def _are_after(columns: list[SortValues], last: list[CursorValue], descending: bool) -> Flags:
    """Return which entries come after `last` in the order of `columns`."""
    after = np.zeros(columns[0].size, np.bool_)
    equal = ~after
    for column, value in zip(columns, last, strict=True):
        after |= equal & (column < value if descending else column > value)
        equal &= column == value
    return after


def _encode_cursor(query: Query, values: list[CursorValue]) -> str:
    fields = [query.sort, query.descending, *values]
    # Unknown values are infinite, which orjson writes as null.
    encoded = orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    return base64.urlsafe_b64encode(encoded).decode().rstrip("=")


def _decode_cursor(query: Query, columns: list[SortValues]) -> list[CursorValue]:
    """Return the sort values of a cursor. Raises CursorError."""
    unknown = -np.inf if query.descending else np.inf
    try:
        padded = (query.cursor or "").encode() + b"==="
        sort, descending, *values = orjson.loads(base64.b64decode(padded, b"-_", validate=False))
    except (ValueError, TypeError, binascii.Error):
        raise CursorError from None
    types = [str if column.dtype.kind == "T" else float | int | None for column in columns]
    has_types = len(values) == len(types) and all(map(isinstance, values, types))
    if [sort, descending] != [query.sort, query.descending] or not has_types:
        raise CursorError
    return [unknown if value is None else value for value in values]


def series_by_id(snapshot: Snapshot, series_id: str) -> Series | None:
    """Return the series with an id; None if there is none."""
    if not re.fullmatch("[0-9a-f]{16}", series_id):
        return None
    slots = np.flatnonzero(snapshot.id == np.uint64(int(series_id, 16)))
    series: Series | None = snapshot.series[slots[0]] if slots.size else None
    return series
