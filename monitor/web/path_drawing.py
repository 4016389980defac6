"""Draws the capacity of each limit on a request path as a column, and the present flow as a water level."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from textwrap import shorten, wrap

from markupsafe import Markup

from monitor.topology.path_status import LimitStatus, PathStatus
from rules.units import parse_unit

TOP, BASE = 56, 252  # y of the highest column's top and of all columns' feet, in pixels
HEIGHT = 336  # pixels
COLUMN_WIDTH = 116  # pixels; more where the page is wider than all columns together
GRID_LINES = 4
MIN_ROOM = 0.005  # share of the present flow; less room is shown as `no room`
# The rate at the drawing's top is the higher of these multiples: of the present flow, and of the capacity.
FLOW_MULTIPLE, CAPACITY_MULTIPLE = 2.0, 1.3
# The text below a column: characters of the hop's name and of a line, and lines.
NAME_LENGTH, LINE_LENGTH, MAX_LINES = 16, 18, 3

DRAWING = Markup(
    '<svg class="flow-drawing" width="{width}" height="{height}" role="img" aria-label="{label}">'
    '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="hatch-line" x1="0" y1="0" x2="0" y2="7"/></pattern></defs>'
    "{grid}{columns}{water}</svg>"
)
GRID = Markup('<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>')
COLUMN = Markup(
    '<g class="{kind}">'
    '<rect class="cap" x="{x:.2f}%" width="{width:.2f}%" y="{y:.0f}" height="{height:.0f}"/>'
    '<line class="{edge}" x1="{x:.2f}%" x2="{end:.2f}%" y1="{y:.0f}" y2="{y:.0f}"/>'
    '<text class="big" x="{middle:.2f}%" y="{number_y:.0f}" text-anchor="middle">{number}'
    '<tspan class="room"> {room}</tspan></text>{texts}</g>'
)
UNKNOWN = Markup(
    '<g><rect x="{x:.2f}%" width="{width:.2f}%" y="{y:.0f}" height="{height:.0f}" fill="url(#hatch)"/>'
    '<text class="big" x="{middle:.2f}%" y="{number_y:.0f}" text-anchor="middle">?</text>{texts}</g>'
)
TEXT = Markup('<text class="{kind}" x="{x:.2f}%" y="{y}" text-anchor="middle">{text}</text>')
WATER = Markup(
    '<rect class="water" x="0" width="100%" y="{y:.0f}" height="{height:.0f}"/>'
    '<rect class="surface" x="0" width="100%" y="{y:.0f}" height="2"/>'
    '<text class="on" x="14" y="{words_y:.0f}">{words}</text>'
)


@dataclass(frozen=True, slots=True)
class FlowColumn:
    """A limit, or a hop without a known limit, drawn as a column.

    name: the name of the hop.
    words: the name of the limit's signal, or the title of a hop without a known limit.
    capacity: None if it is unknown.
    """

    name: str
    words: str
    capacity: float | None
    is_weakest: bool = False


def flow_svg(path: PathStatus) -> Markup:
    """Return the drawing of a path."""
    columns = [*_columns(path)]
    highest = _highest(path)
    return DRAWING.format(
        width=COLUMN_WIDTH * max(len(columns), 1),
        height=HEIGHT,
        label=_label(path),
        grid=Markup("").join(
            GRID.format(y=BASE - (BASE - TOP) * grid_line // GRID_LINES)
            for grid_line in range(GRID_LINES + 1)
        ),
        columns=Markup("").join(
            _column(path, column, index, len(columns), highest) for index, column in enumerate(columns)
        ),
        water=_water(path, highest),
    )


def _columns(path: PathStatus) -> Iterator[FlowColumn]:
    for hop in path.hops:
        shown = [limit for limit in hop.limits if limit.capacity is None or isfinite(limit.capacity)]
        for limit in shown:
            yield FlowColumn(hop.hop.effective_name, _words(limit), limit.capacity, limit is path.weakest)
        if not shown and not hop.is_known:
            yield FlowColumn(hop.hop.effective_name, hop.kind.title, None)


def _words(limit: LimitStatus) -> str:
    """Return the name of a limit's signal in words."""
    return limit.series.key.signal.replace("_", " ")


def _highest(path: PathStatus) -> float:
    """Return the rate at the top of the drawing."""
    return max(FLOW_MULTIPLE * (path.flow or 0.0), CAPACITY_MULTIPLE * (path.capacity or 0.0)) or 1.0


def _y(rate: float, highest: float) -> float:
    return BASE - (BASE - TOP) * min(rate / highest, 1.0)


def _column(path: PathStatus, column: FlowColumn, index: int, count: int, highest: float) -> Markup:
    """Return the drawing of one column. highest: the rate at the drawing's top."""
    space = 100 / count  # percent of the width
    x, width = space * index + space * 0.03, space * 0.94  # with 3 % of the space on each side
    middle = x + width / 2
    texts = _texts(column, middle)
    if column.capacity is None:
        return UNKNOWN.format(
            x=x, width=width, middle=middle, y=TOP, height=BASE - TOP, number_y=TOP - 9, texts=texts
        )
    y = _y(column.capacity, highest)
    is_beyond = column.capacity > highest
    return COLUMN.format(
        kind="weak" if column.is_weakest else "",
        edge="cap-edge beyond" if is_beyond else "cap-edge",
        x=x,
        end=x + width,
        width=width,
        middle=middle,
        y=y,
        height=BASE - y,
        number_y=min(y, _y(path.flow or 0.0, highest)) - 9,
        number=parse_unit("requests").split(column.capacity)[0],
        room=room_text(path, column.capacity),
        texts=texts,
    )


def _texts(column: FlowColumn, middle: float) -> Markup:
    """Return the name of the hop and the words of the limit below a column."""
    lines: Sequence[str] = wrap(column.words, LINE_LENGTH)[:MAX_LINES]
    name = shorten(column.name, NAME_LENGTH, placeholder="…") if " " in column.name else column.name
    name = name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
    texts = [TEXT.format(kind="name", x=middle, y=BASE + 20, text=name)]
    texts += [
        TEXT.format(kind="words", x=middle, y=BASE + 37 + 15 * line_number, text=line)
        for line_number, line in enumerate(lines)
    ]
    return Markup("").join(texts)


def _water(path: PathStatus, highest: float) -> Markup:
    if path.flow is None:
        return Markup("")
    y = _y(path.flow, highest)
    words = f"{parse_unit(f'{path.unit}/s').format(path.flow)} flow now"
    return WATER.format(y=y, height=BASE - y, words_y=y + 18 if y < BASE - 24 else y - 6, words=words)


def room_text(path: PathStatus, capacity: float | None) -> str:
    """Return how much more than the present flow a limit can carry: `+22 %`; empty if unknown."""
    if capacity is None or not path.flow:
        return ""
    share = capacity / path.flow - 1
    return "no room" if share < MIN_ROOM else f"+{share:.0%}".replace("%", " %")


def _label(path: PathStatus) -> str:
    unit = parse_unit(f"{path.unit}/s")
    flow = "an unknown flow" if path.flow is None else f"{unit.format(path.flow)} now"
    if path.weakest is None or path.capacity is None:
        return f"What each limit of the path can carry, against {flow}. No capacity is known."
    name = path.hops[path.weakest.hop].hop.effective_name
    return (
        f"What each limit of the path can carry, against {flow}. The weakest is {name}, "
        f"{_words(path.weakest)}, with {unit.format(path.capacity)}."
    )
