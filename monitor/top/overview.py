"""The main screen: the list of series, the most urgent first."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from monitor.api.models import SeriesModel
from monitor.fleet.key import LABELS
from monitor.lib.text import escape_unprintable
from monitor.top.alerts import AlertsScreen
from monitor.top.columns import COLUMN_BY_SORT, COLUMNS
from monitor.top.detail_text import handling_phrases
from monitor.top.dialog import KEY_HINT, FormDialog
from monitor.top.filters import FILTER_LABELS, SeriesView, format_filters
from monitor.top.header import StatusHeader
from monitor.top.screen import AlertTarget, BaseScreen
from monitor.top.series import SeriesScreen
from monitor.top.snapshot import DEFAULT_VIEW, SeriesRow, TopSnapshot
from monitor.top.table import ItemTable
from monitor.top.text import series_name, throttled_text, time_and_age, usage_and_limit

FILTER_HINT = f"label:value, or words of the resource's name. Labels: {', '.join(FILTER_LABELS)}. {KEY_HINT}"


class OverviewScreen(BaseScreen):
    """The series that match the filters, and below them all values of the series under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter"),
        Binding("s", "sort", "Sort"),
        Binding("S", "reverse", "Reverse", show=False),
        Binding("z", "zone", "Zone"),
        Binding("e", "alerts", "Alerts"),
        Binding("tab", "alerts", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.table = ItemTable[SeriesRow](COLUMNS)
        self._view_line, self._current = Static(classes="view"), Static(classes="current-item")
        self._shown_view = DEFAULT_VIEW

    def compose(self) -> ComposeResult:
        yield from (StatusHeader(), self._view_line, self.table, self._current)
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        self.watch(self.app, "snapshot", self.show)
        self.watch(self.app, "view", self._update_view_line)

    @property
    def target(self) -> AlertTarget | None:
        row = self.table.current
        return alert_target(row.model) if row else None

    def show(self, snapshot: TopSnapshot) -> None:
        """Show the series of a snapshot."""
        query = snapshot.view.query
        if snapshot.view != self._shown_view:
            self._shown_view = snapshot.view
            self.table.action_first()
        self.table.show(
            snapshot.rows, (COLUMN_BY_SORT.get(query.sort, query.sort), "▼" if query.descending else "▲")
        )
        self._update_view_line()

    def _update_view_line(self) -> None:
        snapshot, view = self.top.snapshot, self.top.view
        parts = [series_count_text(snapshot)] if snapshot.fetched_at else []
        if snapshot.view != view:
            parts.append(f"loading: {view_text(view)}")
        self._view_line.update(Text(escape_unprintable(" · ".join(parts))))

    @on(ItemTable.Moved)
    def _moved(self) -> None:
        row = self.table.current
        self._current.update(row_text(row) if row else "")
        self.top.loader.request([row.id for row in self.table.visible_items])

    @on(ItemTable.Opened)
    def _opened(self) -> None:
        if row := self.table.current:
            self.app.push_screen(SeriesScreen(alert_target(row.model)))

    def action_sort(self) -> None:
        self.top.view = self.top.view.with_next_sort

    def action_reverse(self) -> None:
        self.top.view = self.top.view.with_reverse_order

    def action_zone(self) -> None:
        self.top.view = self.top.view.with_next_zone

    def action_alerts(self) -> None:
        self.app.push_screen(AlertsScreen())

    def action_filter(self) -> None:
        fields = {"filter": format_filters(self.top.view.filters)}
        self.app.push_screen(FormDialog("Filter series", fields, self._apply_filter, FILTER_HINT))

    async def _apply_filter(self, values: Mapping[str, str]) -> str:
        self.top.view = self.top.view.with_filters(values["filter"])
        return ""


def alert_target(series: SeriesModel) -> AlertTarget:
    """Return the series as the target of an acknowledgement or a silence."""
    labels = {name: getattr(series, name) for name in LABELS}
    if series.resource_id != series.resource:
        labels["resource_id"] = series.resource_id
    return AlertTarget(series.id, labels, series_name(series))


def view_text(view: SeriesView) -> str:
    """Return the order and the filters of a view as text."""
    order = f"by {view.sort}{', reversed' if view.reverse else ''}"
    filters = format_filters(view.filters)
    return f"{order} · filter {filters}" if filters else order


def series_count_text(snapshot: TopSnapshot) -> str:
    """Return the number of series, or why there are none, with the order and the filters."""
    total, shown = snapshot.page.total, len(snapshot.page.items)
    if total:
        count = f"{shown:,} of {total:,} series" if shown < total else f"{total:,} series"
    elif snapshot.view.filters.is_active:
        count = "No series match"
    else:
        count = f"No series yet; {snapshot.pending or 'see /status for the state of each account'}"
    return f"{count} · {view_text(snapshot.view)}"


def row_text(row: SeriesRow) -> Text:
    """Return a series on two lines, with the values that may not fit into the columns of the list."""
    series = row.model
    account = (row.detail.model.account_name if row.detail else "") or series.account
    alert_states = [row.alert.state, *handling_phrases(row.alert)] if row.alert else []
    facts = (
        f"{usage_and_limit(series)} ({series.source or 'no source'}), throttled {throttled_text(series)}",
        f"{account}, {series.region}",
        *filter(None, [", ".join(alert_states)]),
        f"sample {time_and_age(series.sampled_at)}",
    )
    return Text(f"{series_name(series)}\n{escape_unprintable('; '.join(facts))}")
