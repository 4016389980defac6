"""Finding series in a snapshot: filters, order and pages, over columns."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import translate
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import BaseModel, ConfigDict, Field

from monitor.columns import Flags
from monitor.fleet import Key, Series
from monitor.snapshot import Snapshot
from rules.band import ZONES, Zone

ZoneWord = Literal["saturated", "critical", "above", "within", "below", "stale", "unobservable"]
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
Places = npt.NDArray[np.intp]
Column = npt.NDArray[Any]  # of what places are sorted by
Scalar = float | str | None

LARGEST_PAGE = 1000
LONGEST = 8192  # characters of a pattern or cursor; a cursor may hold a resource's name
TEXTS = Key._fields


class Query(BaseModel):
    """Which series, in which order, and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(default=None, description="The 12-digit id.")
    region: str | None = Field(default=None, description="For example eu-west-1.")
    service: str | None = Field(default=None, description="For example kinesis.")
    signal: str | None = Field(default=None, description="For example stream_write_bytes.")
    resource: str | None = Field(
        default=None, max_length=LONGEST, description="The name; a shell pattern when it has * or ? in it."
    )
    zone: list[ZoneWord] = Field(default=[], description="Any of these zones; repeatable.")
    sort: Sort = Field(default="urgency", description="urgency is the worst zone first, then utilization.")
    order: Order | None = Field(
        default=None, description="Default: asc for names, desc for numbers and urgency."
    )
    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE, description="Series in one answer.")
    cursor: str | None = Field(default=None, max_length=LONGEST, description="`next` of the answer before.")

    @property
    def descending(self) -> bool:
        return self.order == "desc" if self.order else self.sort not in TEXTS


@dataclass(frozen=True, slots=True)
class Found:
    """One page of places, how many match in all, and the cursor of the next page.

    zones: how many series are in each zone of those that pass the other filters.
    """

    places: list[int]
    total: int
    next: str | None
    zones: Mapping[Zone, int]


class BadCursor(ValueError):
    """A cursor that no answer to this query ever had."""


def find(snapshot: Snapshot, query: Query) -> Found:
    """The places of one page. Raises BadCursor.

    Pages follow one another by the sorted values: a series that moves meanwhile may show twice or not at
    all, every other one shows once.
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
    return Found(matching[kept][page].tolist(), matching.size, cursors[0] if cursors else None, counts)


def matches(snapshot: Snapshot, query: Query) -> Flags:
    """Which places hold a series that passes the filters of the query."""
    return _elsewhere(snapshot, query) & _in_zone(snapshot, query)


def _in_zone(snapshot: Snapshot, query: Query) -> Flags:
    wanted = [ZONES[word] for word in query.zone] if query.zone else [*Zone]
    return np.isin(snapshot.zone, wanted)


def _elsewhere(snapshot: Snapshot, query: Query) -> Flags:
    """Which places hold a series that passes all filters but that of zones."""
    wanted = [(n, value) for n, field in enumerate(TEXTS[:4]) if (value := getattr(query, field)) is not None]
    fits = [all(group[n] == value for n, value in wanted) for group in snapshot.groups]
    passed: Flags = np.append(np.array(fits, np.bool_), False)[snapshot.group]  # -1, no series, is the last
    if query.resource is not None:
        fitting = _resource_test(query.resource)
        passed[passed] = [fitting(one.key.resource) for one in snapshot.series[passed].tolist()]
    return passed


def _resource_test(wanted: str) -> Callable[[str], bool]:
    if not set("*?") & set(wanted):
        return wanted.__eq__
    part = wanted[1:-1]
    if wanted == f"*{part}*" and not set("*?[") & set(part):  # what most people look for, and much faster
        return lambda name: part in name
    pattern = re.compile(translate(wanted))
    return lambda name: pattern.match(name) is not None


def _sort_columns(snapshot: Snapshot, places: Places, query: Query) -> list[Column]:
    """What to sort by, most significant first; the place last makes the order total.

    What is not known comes last, in either order.
    """
    unknown = -np.inf if query.descending else np.inf
    if query.sort in TEXTS:
        texts = [getattr(snapshot.series[place].key, query.sort) for place in places.tolist()]
        names = [text.encode(errors="replace").decode() for text in texts]
        return [np.array(names, np.dtypes.StringDType()), places]
    if query.sort == "urgency":
        zone, utilization = snapshot.zone[places].astype(np.float64), snapshot.utilization[places]
        if not query.descending:
            zone[zone < Zone.BELOW] *= -len(Zone)
        return [zone, _known(utilization, unknown), places]
    name = {"sampled_at": "minute"}.get(query.sort, query.sort)
    return [_known(getattr(snapshot, name)[places], unknown), places]


def _known(values: Column, unknown: float) -> Column:
    known = values.astype(np.float64)
    known[~(known >= 0)] = unknown
    return known


def _after(columns: list[Column], last: list[Scalar], descending: bool) -> Flags:
    """Those that come after `last` in the order of `columns`."""
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
        raise BadCursor from None
    kinds = [str if column.dtype.kind == "T" else float | int | None for column in columns]
    fits = len(values) == len(kinds) and all(map(isinstance, values, kinds))
    if [sort, descending] != [query.sort, query.descending] or not fits:
        raise BadCursor
    return [unknown if value is None else value for value in values]


def by_id(snapshot: Snapshot, wanted: str) -> Series | None:
    """The series of an id; None when there is none."""
    if not re.fullmatch("[0-9a-f]{16}", wanted):
        return None
    found = np.flatnonzero(snapshot.id == np.uint64(int(wanted, 16)))
    series: Series | None = snapshot.series[found[0]] if found.size else None
    return series
