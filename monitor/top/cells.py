"""What the list tells of a series, column by column."""

from rich.text import Text

from monitor.report import STYLES, printable
from monitor.sparkline import LENGTH
from monitor.top.lines import Column, middle
from monitor.top.seen import Shown
from monitor.top.strokes import bar, spark
from monitor.top.words import lasted, named, refused, signal, usage
from monitor.units import percent
from rules.band import Zone

PERCENT = 7  # cells of a utilization in numbers


def _zone(row: Shown, width: int) -> Text:
    return Text(row.told.zone, STYLES[row.zone])


def _utilization(row: Shown, width: int) -> Text:
    used = row.told.utilization
    if used is None:
        return Text("not known".rjust(width), "dim")
    band = row.closeup.told.band if row.closeup else None
    return bar(used, band, row.zone, width - PERCENT).append(percent(used).rjust(PERCENT), "bold")


def _course(row: Shown, width: int) -> Text:
    return spark(row.closeup.course, row.zone) if row.closeup else Text()


def _usage(row: Shown, width: int) -> Text:
    return Text(usage(row.told))


def _refused(row: Shown, width: int) -> Text:
    style = STYLES[Zone.SATURATED] if row.told.saturation else "dim" if row.told.saturation is None else ""
    return Text(refused(row.told), style)


def _since(row: Shown, width: int) -> Text:
    return Text(lasted(row.since, row.zone) if row.closeup or row.alert else "")


def _signal(row: Shown, width: int) -> Text:
    whole = signal(row.told)
    return Text(whole if len(whole) <= width else printable(row.told.signal))


def _resource(row: Shown, width: int) -> Text:
    return Text(middle(named(row.told), width))


def _region(row: Shown, width: int) -> Text:
    return Text(printable(row.told.region))


def _account(row: Shown, width: int) -> Text:
    return Text(
        printable(row.closeup.told.account_name if row.closeup else "") or printable(row.told.account)
    )


COLUMNS = (
    Column(name="zone", cell=_zone, rank=0, width=12),
    Column(name="utilization", cell=_utilization, rank=1, width=17),
    Column(name="three hours", cell=_course, rank=7, width=LENGTH),
    Column(name="usage", cell=_usage, rank=6, width=24, most=36),
    Column(name="refused", cell=_refused, rank=3, width=8, right=True),
    Column(name="since", cell=_since, rank=5, width=11),
    Column(name="signal", cell=_signal, rank=4, width=16, most=38),
    Column(name="resource", cell=_resource, rank=2, width=18, most=36),
    Column(name="region", cell=_region, rank=8, width=14),
    Column(name="account", cell=_account, rank=9, width=12, most=20),
)
SORTED = {"urgency": "zone", "saturation": "refused", "service": "signal"}  # where the key is not the column
