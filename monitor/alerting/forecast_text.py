"""The texts of forecast alerts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from collectors.registry import Registry
from monitor.alerting.notice_builder import key_of
from monitor.alerting.series_notices import current_usage, subject_of
from monitor.fleet.reach import Reach
from monitor.fleet.rows import Row
from monitor.lib.durations import format_duration
from monitor.notifiers.notice import Notice
from rules.forecast_features import HORIZON_TEXTS, HORIZONS
from rules.signals import RemedyKind

ACTIONS: Final[Mapping[RemedyKind, str]] = {
    RemedyKind.REQUEST: "Ask now: a quota increase takes about {}.",
    RemedyKind.CHANGE: "Act now: the change takes about {}.",
    RemedyKind.REDESIGN: "Act now: changing the design takes about {}.",
}


def forecast_summary(row: Row, reach: Reach, account_name: str, now: int, registry: Registry) -> str:
    """Return the forecast of a series, in absolute numbers, and its remedy. now: in epoch minutes."""
    target = "effective ceiling" if reach.ceiling else "limit"
    ceiling = f" ({row.unit.format(reach.ceiling)}, inferred from throttled demand)" if reach.ceiling else ""
    horizon_text = HORIZON_TEXTS[HORIZONS[reach.horizon_index]]
    times = f", {times_text(reach, now)}" if reach.minutes else ""
    probability = f"{100 * reach.probability[reach.horizon_index]:.0f} % within {horizon_text}{times}"
    call_to_act = f" {urging}" if (urging := urging_text(row, reach, now)) else ""
    subject = subject_of(row.key, account_name, registry)
    forecast = f"{subject} will probably reach its {target}{ceiling}: {probability}."
    return f"{forecast} Now it {current_usage(row)}.{call_to_act} Remedy: {row.signal.remedy[0]}"


def times_text(reach: Reach, now: int) -> str:
    """Return when a limit is reached: `in 2-4 h (12:15 to 14:15 UTC)`. now: in epoch minutes.

    The absolute times stay true while the text of a notice is shown, however long that is.
    """
    first, last = (datetime.fromtimestamp(60 * max(reach.minutes[edge], now), UTC) for edge in (0, -1))
    is_today = last.date() == datetime.fromtimestamp(60 * now, UTC).date()
    clock_times = [f"{at:%H:%M}" if is_today else f"{at.day} {at:%b %H:%M}" for at in (first, last)]
    return f"{reach.time_text(now)} ({' to '.join(dict.fromkeys(clock_times))} UTC)"


def urging_text(row: Row, reach: Reach, now: int) -> str:
    """Return a call to act now if the remedy takes as long as the time left, or longer; else empty."""
    if not reach.minutes or reach.minutes[0] - now > row.signal.remedy_minutes:
        return ""
    return ACTIONS[row.signal.remedy_kind].format(format_duration(row.signal.remedy_minutes * 60))


def ended_text(last_notice: Notice, reason: str, now: float, registry: Registry) -> str:
    """Return the summary of a forecast alert that has ended."""
    subject = subject_of(key_of(last_notice), last_notice.labels.get("account_name", ""), registry)
    lasted = format_duration(now - last_notice.since)
    return f"{subject} is not forecast to reach its limit any more, after {lasted}: {reason}."
