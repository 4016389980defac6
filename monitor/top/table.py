"""A table with a cursor. Only the visible rows are rendered, so that hundreds of rows cost little.

Textual's DataTable is not used: its columns do not adapt to the width of the terminal, and replacing its rows
at each poll would lose the cursor and the scroll position.
"""

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

GAP = 1  # characters between two columns


class HasId(Protocol):
    """An item of a table; its id stays the same when the items are updated."""

    @property
    def id(self) -> str:
        """The id of the item."""


TableItem = TypeVar("TableItem", bound=HasId)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[TableItem]):
    """A column of a table.

    render: returns the text of an item for a width.
    rank: when not all columns fit, the columns with the lowest ranks are shown.
    width: the minimum width.
    max_width: the maximum useful width; 0: the column is never widened. All widths are in characters.
    """

    name: str
    render: Callable[[TableItem, int], Text]
    rank: int
    width: int
    max_width: int = 0
    align_right: bool = False


def fit_columns(columns: Sequence[Column[TableItem]], width: int, first: str = "") -> list[Column[TableItem]]:
    """Return the columns that fit into a width, in the given order, widened up to max_width if possible.

    first: the name of the column that is chosen before all others.
    """
    free_width, fitting = width, []
    for column in sorted(columns, key=lambda column: (column.name != first, column.rank)):
        if column.width + GAP > free_width:
            break
        fitting.append(column)
        free_width -= column.width + GAP
    widths = {}
    for column in fitting:
        extra = min(free_width, max(column.max_width - column.width, 0))
        widths[column.name] = column.width + extra
        free_width -= extra
    return [replace(column, width=widths[column.name]) for column in columns if column.name in widths]


def ellipsize_middle(text: str, width: int) -> str:
    """Return the text; if it is wider than `width`, an ellipsis replaces its middle."""
    if cell_len(text) <= width:
        return text
    tail = text[-(width // 2) :]
    head = set_cell_size(text, max(width - 1 - cell_len(tail), 0))
    return set_cell_size(f"{head}…{tail}", width)


class ItemTable(ScrollView, Generic[TableItem], can_focus=True):
    """A list of items, one of which has the cursor.

    Until the user moves the cursor, it is on the first item. After that the cursor follows its item when the
    order changes.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"item-table--header", "item-table--cursor"}
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
        """Sent when the user presses Enter, or clicks on the item that has the cursor."""

    class Moved(Message):
        """Sent when the cursor moves, the items are replaced, or other items become visible."""

    def __init__(self, columns: Sequence[Column[TableItem]]) -> None:
        super().__init__()
        self._columns, self._items = columns, list[TableItem]()
        self._sort_mark, self._user_moved_cursor = ("", ""), False

    @property
    def current(self) -> TableItem | None:
        """The item that has the cursor; None when there are no items."""
        return self._items[self.cursor] if self.cursor < len(self._items) else None

    @property
    def visible_items(self) -> list[TableItem]:
        """The items on the screen."""
        top = self.scroll_offset.y
        return self._items[top : top + self._visible_lines]

    @property
    def _visible_lines(self) -> int:
        return max(self.size.height - 1, 1)  # the first line is the header

    def show(self, items: Sequence[TableItem], sorted_by: tuple[str, str] = ("", "")) -> None:
        """Replace the items. sorted_by: the name of a column, and the symbol of its order."""
        previous, cursor_was_visible = self.current, self.cursor_is_visible
        self._items, self._sort_mark = list(items), sorted_by
        self.virtual_size = Size(self.size.width, len(self._items) + 1)
        row = self.cursor
        if previous and self._user_moved_cursor:
            row_by_id = {item.id: row for row, item in enumerate(self._items)}
            row = row_by_id.get(previous.id, row)
        self.set_reactive(ItemTable.cursor, max(min(row, len(self._items) - 1), 0))
        if cursor_was_visible:
            self._scroll_to_cursor()
        self._update()

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._items) + 1)
        self._scroll_to_cursor()
        self._update()

    def watch_cursor(self) -> None:
        self._scroll_to_cursor()
        self._update()

    def _update(self) -> None:
        self.refresh()
        self.post_message(self.Moved())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.post_message(self.Moved())

    @property
    def cursor_is_visible(self) -> bool:
        """True while the cursor is on the screen; the mouse wheel scrolls without moving the cursor."""
        return 0 <= self.cursor - self.scroll_offset.y < self._visible_lines

    def _scroll_to_cursor(self) -> None:
        top = min(self.scroll_offset.y, self.cursor)
        self.scroll_to(y=max(top, self.cursor - self._visible_lines + 1), animate=False)

    def action_move(self, by: int) -> None:
        self._move(self.cursor + by)

    def action_page(self, by: int) -> None:
        self._move(self.cursor + by * self._visible_lines)

    def action_first(self) -> None:
        self._user_moved_cursor, self.cursor = False, 0

    def action_last(self) -> None:
        self._move(len(self._items) - 1)

    def _move(self, row: int) -> None:
        self._user_moved_cursor, self.cursor = True, max(min(row, len(self._items) - 1), 0)

    def action_open(self) -> None:
        if self.current:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + self.scroll_offset.y
        if event.y and row == self.cursor:
            self.action_open()
        elif event.y and row < len(self._items):
            self._move(row)

    def render_line(self, y: int) -> Strip:
        width, row = self.size.width, y - 1 + self.scroll_offset.y
        style = self.rich_style
        if y == 0:
            line, style = self._header(width), self.get_component_rich_style("item-table--header")
        elif row < len(self._items):
            line = self._line(self._items[row], width)
            if row == self.cursor:
                style = self.get_component_rich_style("item-table--cursor")
        else:
            return Strip.blank(width, style)
        return Strip(line.render(self.app.console)).adjust_cell_length(width, style).apply_style(style)

    def _header(self, width: int) -> Text:
        name, symbol = self._sort_mark
        columns = fit_columns(self._columns, width, name)
        return _join_cells(
            [(column, Text(column.name + (symbol if column.name == name else ""))) for column in columns]
        )

    def _line(self, item: TableItem, width: int) -> Text:
        columns = fit_columns(self._columns, width, self._sort_mark[0])
        return _join_cells([(column, column.render(item, column.width)) for column in columns])


def _join_cells(cells: Sequence[tuple[Column[TableItem], Text]]) -> Text:
    line = Text(no_wrap=True, end="")
    for column, cell in cells:
        cell.truncate(column.width, overflow="ellipsis")
        line.append(" " * (column.width - cell.cell_len if column.align_right else 0))
        line.append_text(cell)
        line.append(" " * (GAP if column.align_right else column.width - cell.cell_len + GAP))
    return line
