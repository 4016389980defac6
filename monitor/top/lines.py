"""A table with a cursor, drawn line by line: of hundreds of rows only those on the screen cost anything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Generic, Protocol, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

GAP = 1  # cells between two columns


class Identified(Protocol):
    """What can be shown: it is the same as before where its id is."""

    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=Identified)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[Item]):
    """What is told of each item. cell: from an item and a width in cells, not to be exceeded, what is shown.

    rank: the lowest have room first. width, most: what it needs, and what it can make use of.
    """

    name: str
    cell: Callable[[Item, int], Text]
    rank: int
    width: int
    most: int = 0
    right: bool = False


def fit(columns: Sequence[Column[Item]], width: int) -> list[Column[Item]]:
    """The columns that fit into a width, in their order, each as wide as it can be."""
    left, chosen = width, []
    for column in sorted(columns, key=lambda one: one.rank):
        if column.width + GAP > left:
            break
        chosen.append(column)
        left -= column.width + GAP
    widths = {}
    for column in chosen:
        more = min(left, max(column.most - column.width, 0))
        widths[column.name] = column.width + more
        left -= more
    return [replace(one, width=widths[one.name]) for one in columns if one.name in widths]


def middle(text: str, width: int) -> str:
    """Text with its middle left out, where it is wider."""
    if cell_len(text) <= width:
        return text
    tail = text[-(width // 2) :]
    head = set_cell_size(text, max(width - 1 - cell_len(tail), 0))
    return set_cell_size(f"{head}…{tail}", width)


class Lines(ScrollView, Generic[Item], can_focus=True):
    """Items of which one has the cursor.

    Until people move it the cursor is on the first item, whichever that is; then it stays on an item,
    wherever that goes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--head", "lines--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", show=False),
        Binding("home,g", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
    ]
    cursor: reactive[int] = reactive(0)

    class Opened(Message):
        """Enter, or a click on the item that has the cursor."""

    class Moved(Message):
        """The cursor is elsewhere, or other items are on the screen."""

    def __init__(self, columns: Sequence[Column[Item]]) -> None:
        super().__init__()
        self._columns, self._items = columns, list[Item]()
        self._sorted, self._moved = ("", ""), False

    @property
    def current(self) -> Item | None:
        """The item that has the cursor."""
        return self._items[self.cursor] if self.cursor < len(self._items) else None

    @property
    def visible_items(self) -> list[Item]:
        """What is on the screen."""
        top = self.scroll_offset.y
        return self._items[top : top + self._height]

    @property
    def _height(self) -> int:
        return max(self.size.height - 1, 1)  # the first line names the columns

    def show(self, items: Sequence[Item], sorted_by: tuple[str, str] = ("", "")) -> None:
        """Show these. sorted_by: the name of a column, and a sign that says which way."""
        before, watched = self.current, self.cursor_in_sight
        self._items, self._sorted = list(items), sorted_by
        self.virtual_size = Size(self.size.width, len(self._items) + 1)
        places = {item.id: place for place, item in enumerate(self._items)}
        place = places.get(before.id, self.cursor) if before and self._moved else self.cursor
        self.set_reactive(Lines.cursor, max(min(place, len(self._items) - 1), 0))
        if watched:
            self._follow()
        self._tell()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._items) + 1)
        self._follow()
        self._tell()

    def watch_cursor(self) -> None:
        self._follow()
        self._tell()

    def _tell(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    @property
    def cursor_in_sight(self) -> bool:
        """False once the wheel has scrolled it away."""
        return 0 <= self.cursor - self.scroll_offset.y < self._height

    def _follow(self) -> None:
        top = min(self.scroll_offset.y, self.cursor)
        self.scroll_to(y=max(top, self.cursor - self._height + 1), animate=False)

    def action_move(self, by: int) -> None:
        self._move(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._move(self.cursor + by * self._height)

    def action_first(self) -> None:
        self._moved, self.cursor = False, 0

    def action_last(self) -> None:
        self._move(len(self._items) - 1)

    def _move(self, place: int) -> None:
        self._moved, self.cursor = True, max(min(place, len(self._items) - 1), 0)

    def action_open(self) -> None:
        if self.current:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        place = event.y - 1 + self.scroll_offset.y
        if event.y and place == self.cursor:
            self.action_open()
        elif event.y and place < len(self._items):
            self._move(place)

    def render_line(self, y: int) -> Strip:
        width, place = self.size.width, y - 1 + self.scroll_offset.y
        style = self.rich_style
        if y == 0:
            line, style = self._head(width), self.get_component_rich_style("lines--head")
        elif place < len(self._items):
            line = self._line(self._items[place], width)
            if place == self.cursor:
                style = self.get_component_rich_style("lines--cursor")
        else:
            return Strip.blank(width, style)
        return Strip(line.render(self.app.console)).adjust_cell_length(width, style).apply_style(style)

    def _head(self, width: int) -> Text:
        name, sign = self._sorted
        columns = fit(self._columns, width)
        return _joined([(one, Text(one.name + (sign if one.name == name else ""))) for one in columns])

    def _line(self, item: Item, width: int) -> Text:
        return _joined([(column, column.cell(item, column.width)) for column in fit(self._columns, width)])


def _joined(cells: Sequence[tuple[Column[Item], Text]]) -> Text:
    line = Text(no_wrap=True, end="")
    for column, cell in cells:
        cell.truncate(column.width, overflow="ellipsis")
        line.append(" " * (column.width - cell.cell_len if column.right else 0))
        line.append_text(cell)
        line.append(" " * (GAP if column.right else column.width - cell.cell_len + GAP))
    return line
