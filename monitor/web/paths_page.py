"""The pages of request paths: a card for each, and one path with its drawing and its limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import quote

from monitor.fleet.key import WHOLE_ACCOUNT
from monitor.fleet.snapshot import Snapshot
from monitor.render.commands import increase_command
from monitor.render.text import format_rate, per_request_text, shorten
from monitor.topology.path_status import HopStatus, LimitStatus, PathStatus
from monitor.web.path_drawing import flow_svg, room_text
from rules.band import Zone
from rules.plurals import count_of
from rules.units import parse_unit

MAX_CARDS = 100
PATHS = "/paths"
MAX_URGENT_FACTOR = 1.5  # a path whose flow can grow only by less than this factor is urgent


@dataclass(frozen=True, slots=True)
class PathCard:
    """A path in the list.

    summary: in words, the number of hops, the hop with the weakest limit, and the room of the path.
    """

    name: str
    url: str
    zone: Zone
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRow:
    """A limit, or a hop without limits, as a row of the table. A text may be empty.

    number: the position of the hop, from 1.
    place: the region; for a limit of the account, with `whole account, ` before it.
    after: the names of the preceding hops; empty if the only one is the hop above.
    uses: how much of the limit a request uses, or how many units of the hop a request causes.
    carries: the flow at which the limit is reached.
    breaking_factor: the factor by which the flow may grow until it reaches the limit.
    forecast: when the limit is reached.
    note: why a value is unknown, or why the hop has no limit.
    remedy: how to raise the limit or lower the usage.
    """

    number: int
    zone: Zone
    hop: str
    title: str
    url: str = ""
    place: str = ""
    after: str = ""
    usage: str = ""
    uses: str = ""
    carries: str = ""
    breaking_factor: str = ""
    forecast: str = ""
    note: str = ""
    remedy: str = ""
    is_weakest: bool = False


def path_url(name: str) -> str:
    """Return the URL of the page of a path."""
    return f"{PATHS}/{quote(name, safe='')}"


def path_cards(paths: Sequence[PathStatus]) -> list[PathCard]:
    """Return the cards of paths, in the order of the files."""
    return [
        PathCard(path.name, path_url(path.name), path.zone, _card_summary(path)) for path in paths[:MAX_CARDS]
    ]


def _card_summary(path: PathStatus) -> str:
    hops = count_of(len(path.hops), "hop")
    if path.weakest is None:
        return f"{hops} · not known what it carries"
    name = path.hops[path.weakest.hop].hop.effective_name
    throttled = f"refuses {format_rate(path.weakest.throttled)}" if path.weakest.throttled else ""
    return f"{hops} · weakest: {name}, {throttled or _room(path)}"


def _room(path: PathStatus) -> str:
    """Return the room of a path in words: `at most +22 % room`, `no room`; empty if unknown."""
    text = room_text(path, path.capacity)
    text = f"{text} room" if text.startswith("+") else text
    return f"at most {text}" if path.is_upper_bound and text.startswith("+") else text


def path_page(path: PathStatus, snapshot: Snapshot) -> dict[str, Any]:
    """Return the variables of the template about one path."""
    unit = parse_unit(f"{path.unit}/s")
    payload = path.payload
    return {
        "path": path,
        "flow": unit.format(path.flow) if path.flow is not None else "",
        "capacity": unit.format(path.capacity) if path.capacity is not None else "",
        "room": room_text(path, path.capacity),
        "weakest": _limit_text(path, path.weakest),
        "next": _limit_text(path, path.next_weakest),
        "next_capacity": unit.format(path.next_weakest.capacity or 0.0) if path.next_weakest else "",
        "next_room": room_text(path, path.next_weakest.capacity) if path.next_weakest else "",
        "is_urgent": path.weakest is not None
        and (path.growth_factor(path.weakest) or 0.0) < MAX_URGENT_FACTOR,
        "remedy": path.weakest.series.settings.signal.remedy[0] if path.weakest else "",
        "command": _command(path.weakest) if path.weakest else None,
        "payload": payload[1] if payload else None,
        "payload_hop": path.hops[payload[0]].hop.effective_name if payload else "",
        "drawing": flow_svg(path),
        "rows": [*_rows(path, snapshot)],
    }


def _limit_text(path: PathStatus, limit: LimitStatus | None) -> str:
    """Return a limit in words: `checkout: Concurrent executions of a function`."""
    return f"{path.hops[limit.hop].hop.effective_name}: {limit.title}" if limit else ""


def _command(limit: LimitStatus) -> str | None:
    """Return the command that raises a limit; None if no command is known or needed."""
    utilization = limit.usage / limit.limit if limit.usage is not None and limit.limit else None
    signal = limit.series.settings.signal
    in_force = None if limit.is_inferred else limit.limit
    is_saturated = limit.zone is Zone.SATURATED
    return increase_command(signal, limit.series, utilization, in_force, saturated=is_saturated)


def _rows(path: PathStatus, snapshot: Snapshot) -> Iterator[PathRow]:
    for number, hop in enumerate(path.hops):
        names = [path.hops[preceding].hop.effective_name for preceding in hop.predecessors]
        after = ", ".join(names) if [*hop.predecessors] != [number - 1] and names else ""
        for limit in hop.limits:
            yield _limit_row(path, hop, limit, snapshot, after)
        if not hop.limits:
            note = "; ".join(hop.reasons) or hop.kind.unlimited or ""
            yield PathRow(
                number=number + 1,
                zone=Zone.UNOBSERVABLE if hop.reasons else Zone.STALE,
                hop=hop.hop.effective_name,
                title=hop.kind.title,
                place=hop.region,
                after=after,
                uses=_visits(path, hop),
                carries="" if hop.reasons else "no limit",
                note=note,
            )


def _limit_row(
    path: PathStatus, hop: HopStatus, limit: LimitStatus, snapshot: Snapshot, after: str
) -> PathRow:
    key, signal = limit.series.key, limit.series.settings.signal
    resource = key.resource if key.resource not in ("", hop.hop.resource) else ""
    growth_factor = path.growth_factor(limit)
    return PathRow(
        number=limit.hop + 1,
        zone=limit.zone,
        hop=shorten(hop.hop.effective_name if not resource else f"{hop.hop.effective_name} ({resource})", 60),
        title=signal.title,
        url=f"/series/{key.id}",
        place=f"{WHOLE_ACCOUNT}, {key.region}" if key.is_of_account else key.region,
        after=after,
        usage=_usage(limit),
        uses="" if limit.per_request is None else per_request_text(signal.unit, limit.per_request),
        carries=_carries(path, limit),
        breaking_factor=f"{growth_factor:.3g}x"
        if growth_factor is not None and isfinite(growth_factor)
        else "",
        forecast=_forecast(limit, snapshot),
        note=limit.reason,
        remedy=signal.remedy[0] if limit is path.weakest or limit.zone >= Zone.ABOVE else "",
        is_weakest=limit is path.weakest,
    )


def _usage(limit: LimitStatus) -> str:
    unit = limit.series.settings.signal.unit
    if limit.usage is None or limit.limit is None:
        return "" if limit.usage is None else unit.format(limit.usage)
    inferred = " (inferred)" if limit.is_inferred else ""
    return unit.format_fraction(limit.usage, limit.limit) + inferred


def _carries(path: PathStatus, limit: LimitStatus) -> str:
    if limit.capacity is None:
        return ""
    if not isfinite(limit.capacity):
        return "not used by requests"
    return parse_unit(f"{path.unit}/s").format(limit.capacity)


def _visits(path: PathStatus, hop: HopStatus) -> str:
    """Return how many units of the hop a request causes, in words; empty if unknown."""
    number = hop.visits.number
    return parse_unit(hop.kind.unit).format(number) if isfinite(number) else ""


def _forecast(limit: LimitStatus, snapshot: Snapshot) -> str:
    """Return when a limit is reached, in words; empty where the snapshot does not have the series."""
    slot = limit.series.slot
    series = snapshot.series[slot] if slot < len(snapshot.series) else None
    if series is None or series.key != limit.series.key:
        return ""
    return snapshot.reach.of(slot).text(int(snapshot.minute.max(initial=-1)))
