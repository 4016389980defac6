"""The possible sources of a series' limit, and its quota increase request, for the page of the series."""

from enum import StrEnum
from functools import partial
from typing import NamedTuple

from collectors.quota_requests import QuotaRequest
from monitor.aws.status import MonitorStatus
from monitor.fleet.fleet import Series
from monitor.render.commands import command_of_signal
from monitor.render.text import SOURCE_TEXTS
from monitor.what_if.remedies import quota_of
from rules.limits import PUBLISHED_ONLY, QUOTA_SOURCES, LimitSource
from rules.signals import REQUEST_COMMAND

REQUEST_ACTION = "servicequotas:ListRequestedServiceQuotaChangeHistory"


class SourceState(StrEnum):
    """The state of a source: in force if it provides the limit."""

    IN_FORCE = "in force"
    NONE = "none"  # the source has no limit
    UNUSED = "not used"  # a source of higher priority provides the limit


class LimitSourceRow(NamedTuple):
    """One source of a limit. value: the limit as text; empty if it is unknown."""

    text: str
    state: SourceState
    value: str
    read_at: float | None


def source_rows(series: Series) -> list[LimitSourceRow]:
    """Return the sources that the limit can come from, the highest priority first."""
    settings = series.settings
    rows = []
    other_state = SourceState.NONE  # UNUSED below the source that is in force
    for source in filter(partial(_is_possible, series), LimitSource):
        is_in_force = source is settings.source
        state = SourceState.IN_FORCE if is_in_force else other_state
        read_at = settings.limit.read_at if is_in_force and settings.limit else None
        rows.append(LimitSourceRow(_sentence(source), state, _value(series, source, is_in_force), read_at))
        if is_in_force:
            other_state = SourceState.UNUSED
    return rows


def _is_possible(series: Series, source: LimitSource) -> bool:
    settings = series.settings
    if source is settings.source or source is LimitSource.OVERRIDE:
        return True
    if source in QUOTA_SOURCES:
        return quota_of(series) is not None
    return source is LimitSource.DOCUMENTED and _documented_limit(series) is not None


def _documented_limit(series: Series) -> float | None:
    return series.settings.signal.default_limit(series.aws_region)


def _value(series: Series, source: LimitSource, is_in_force: bool) -> str:
    signal, limit = series.settings.signal, series.settings.limit
    if is_in_force and limit:
        return "" if limit.value is PUBLISHED_ONLY else signal.unit.format(limit.value)
    documented = _documented_limit(series) if source is LimitSource.DOCUMENTED else None
    return "" if documented is None else signal.unit.format(documented)


def _sentence(source: LimitSource) -> str:
    text = SOURCE_TEXTS[source].partition(";")[0]
    return f"{text[0].upper()}{text[1:]}"


class RequestSummary(NamedTuple):
    """The newest request for an increase of a quota, or the reason why it is unknown.

    request: None if there is none, or it is unknown.
    sentence: the request in words.
    unknown_reason: why it is unknown; empty if it is not.
    action: the missing IAM action, if that is the reason.
    command: the command that requests an increase, if that is the first thing to do and there is no request;
        empty otherwise.
    """

    request: QuotaRequest | None
    sentence: str
    unknown_reason: str
    action: str
    command: str


def request_summary(series: Series, status: MonitorStatus, command: str) -> RequestSummary | None:
    """Return the newest request for an increase; None for a limit that no request increases.

    command: the command that the page gives as the first thing to do.
    """
    request, declared_command = series.settings.quota_request, command_of_signal(series.settings.signal)
    if not request and not (declared_command and declared_command.is_request):
        return None
    cells = (cell for cell in status.cells if (cell.account, cell.region) == series.key.cell)
    unknown_reason = "" if request else next((cell.requests_unknown_reason for cell in cells), "")
    is_denied = "AccessDenied" in unknown_reason or "not authorized" in unknown_reason
    request_command = command if command.startswith(REQUEST_COMMAND) and not request else ""
    return RequestSummary(
        request,
        series.settings.request_sentence,
        unknown_reason,
        REQUEST_ACTION if is_denied else "",
        request_command,
    )
