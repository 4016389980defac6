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

from monitor.fleet.columns import Flags
from monitor.fleet.fleet import LABELS, Key, Series
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import urgency_columns
from monitor.lib.errors import HeadroomError
from rules.band import ZONES, Zone

ZoneWord = Literal["saturated", "near", "above", "within", "below", "stale", "unobservable"]
Sort = Literal[
    "urgency",
    "utilization",
    "usage",
    "limit",
    "saturation",
    "sampled_at",
    "account",
    "region",
    "service",
    "signal",
    "resource",
]
Order = Literal["asc", "desc"]
SlotArray = npt.NDArray[np.intp]
Column = npt.NDArray[Any]  # of what slots are sorted by
Scalar = float | str | None

MAX_PAGE_SIZE = 1000
MAX_PATTERN_LENGTH = 8192  # characters of a pattern or cursor; a cursor may hold a resource's name
MAX_NAME_LENGTH = 2048  # characters of a name; escaped, they take three times as many
TEXT_FIELDS = LABELS
WILDCARDS = set("*?")


def _closed(pattern: str) -> str:
    """Escape brackets that are never closed: for each, fnmatch would search the whole rest of the pattern."""
    end = pattern.rfind("]") + 1
    return pattern[:end] + pattern[end:].replace("[", "[[]") if WILDCARDS & set(pattern) else pattern


class Query(BaseModel):
    """A query: which series to return, in which order, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(default=None, description="The 12-digit id.")
    region: str | None = Field(default=None, description="For example eu-west-1.")
    service: str | None = Field(default=None, description="For example kinesis.")
    signal: str | None = Field(default=None, description="For example stream_write_bytes.")
    resource: Annotated[str, Field(max_length=MAX_PATTERN_LENGTH), AfterValidator(_closed)] | None = Field(
        default=None, description="The name or the id; a shell pattern when it has * or ? in it."
    )
    zone: list[ZoneWord] = Field(default=[], description="Any of these zones; repeatable.")
    sort: Sort = Field(default="urgency", description="urgency is the worst zone first, then utilization.")
    order: Order | None = Field(
        default=None, description="Default: asc for names, desc for numbers and urgency."
    )
    limit: int = Field(default=100, ge=1, le=MAX_PAGE_SIZE, description="Series in one answer.")
    cursor: str | None = Field(
        default=None, max_length=MAX_PATTERN_LENGTH, description="`next` of the answer before."
    )

    @property
    def descending(self) -> bool:
        """Whether to sort in descending order: as `order` says, by default for numbers only."""
        return self.order == "desc" if self.order else self.sort not in TEXT_FIELDS


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One page of slots, the total number of matches, and the cursor of the next page.

    zones: the number of series in each zone that match all other filters.
    """

    slots: list[int]
    total: int
    next: str | None
    zones: Mapping[Zone, int]


class CursorError(HeadroomError, ValueError):
    """A cursor that no answer to this query ever had."""


def run_query(snapshot: Snapshot, query: Query) -> QueryResult:
    """Return one page of slots. Raises CursorError.

    A cursor holds the sort values of the last series: a series whose values change meanwhile may be on two
    pages or none; every other one is on exactly one.
    """
    passed = _elsewhere(snapshot, query)
    matching = np.flatnonzero(passed & _in_zone(snapshot, query))
    columns = _sort_columns(snapshot, matching, query)
    kept = _after(columns, _decoded(query, columns), query.descending) if query.cursor else slice(None)
    left = [column[kept] for column in columns]
    order = np.lexsort(left[::-1])
    page = order[::-1][: query.limit] if query.descending else order[: query.limit]
    last = page[-1:].tolist() if order.size > query.limit else []
    cursors = [_encoded(query, [column[n] for column in left]) for n in last]
    zones = snapshot.zone[passed]
    counts = {zone: int(np.count_nonzero(zones == zone)) for zone in sorted(Zone, reverse=True)}
    return QueryResult(matching[kept][page].tolist(), matching.size, cursors[0] if cursors else None, counts)


def matches(snapshot: Snapshot, query: Query) -> Flags:
    """Return which slots have a series that matches the filters of the query."""
    return _elsewhere(snapshot, query) & _in_zone(snapshot, query)


def _in_zone(snapshot: Snapshot, query: Query) -> Flags:
    wanted = [ZONES[word] for word in query.zone] if query.zone else [*Zone]
    return np.isin(snapshot.zone, wanted)


def _elsewhere(snapshot: Snapshot, query: Query) -> Flags:
    """Return which slots have a series that matches all filters except zones."""
    wanted = [
        (n, value) for n, field in enumerate(TEXT_FIELDS[:4]) if (value := getattr(query, field)) is not None
    ]
    fits = [all(group[n] == value for n, value in wanted) for group in snapshot.groups]
    passed: Flags = np.append(np.array(fits, np.bool_), False)[snapshot.group]  # -1, no series, is the last
    if query.resource is not None:
        fitting = _resource_test(query.resource)
        passed[passed] = [fitting(one.key) for one in snapshot.series[passed].tolist()]
    return passed


def _resource_test(wanted: str) -> Callable[[Key], bool]:
    """Return a test whether the resource of a key has such a name or id."""
    fits = _text_test(wanted)
    return lambda key: fits(key.resource) or (bool(key.subject.names) and fits(key.subject.id))


def _text_test(wanted: str) -> Callable[[str], bool]:
    if not WILDCARDS & set(wanted):
        return wanted.__eq__
    part = wanted[1:-1]
    if wanted == f"*{part}*" and not set("*?[") & set(part):  # what most people look for, and much faster
        return lambda name: part in name
    pattern = re.compile(translate(wanted))
    return lambda name: pattern.match(name) is not None


def _sort_columns(snapshot: Snapshot, slots: SlotArray, query: Query) -> list[Column]:
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
    name = {"sampled_at": "minute"}.get(query.sort, query.sort)
    return [_known(getattr(snapshot, name)[slots], unknown), slots]


def _known(values: Column, unknown: float) -> Column:
    known = values.astype(np.float64)
    known[~(known >= 0)] = unknown
    return known


def _after(columns: list[Column], last: list[Scalar], descending: bool) -> Flags:
    """Return which entries come after `last` in the order of `columns`."""
    after = np.zeros(columns[0].size, np.bool_)
    equal = ~after
    for column, value in zip(columns, last, strict=True):
        after |= equal & (column < value if descending else column > value)
        equal &= column == value
    return after


def _encoded(query: Query, values: list[Scalar]) -> str:
    state = [query.sort, query.descending, *values]  # an infinity, for unknown, becomes null
    return (
        base64.urlsafe_b64encode(orjson.dumps(state, option=orjson.OPT_SERIALIZE_NUMPY)).decode().rstrip("=")
    )


def _decoded(query: Query, columns: list[Column]) -> list[Scalar]:
    unknown = -np.inf if query.descending else np.inf
    try:
        padded = (query.cursor or "").encode() + b"==="
        sort, descending, *values = orjson.loads(base64.b64decode(padded, b"-_", validate=False))
    except (ValueError, TypeError, binascii.Error):
        raise CursorError from None
    kinds = [str if column.dtype.kind == "T" else float | int | None for column in columns]
    fits = len(values) == len(kinds) and all(map(isinstance, values, kinds))
    if [sort, descending] != [query.sort, query.descending] or not fits:
        raise CursorError
    return [unknown if value is None else value for value in values]


def series_by_id(snapshot: Snapshot, wanted: str) -> Series | None:
    """Return the series with an id; None if there is none."""
    if not re.fullmatch("[0-9a-f]{16}", wanted):
        return None
    found = np.flatnonzero(snapshot.id == np.uint64(int(wanted, 16)))
    series: Series | None = snapshot.series[found[0]] if found.size else None
    return series
