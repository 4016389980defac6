"""Answers in words, the same in the API, on the command line and on the page."""

from collections.abc import Iterator
from datetime import UTC, datetime

from monitor.lib.percent import format_percent
from monitor.what_if.answer import Action, Answer, Basis, QuotaToRequest, StressedSeries
from rules.plurals import agreeing, count_of

MIN_WHOLE_FACTOR = 100  # factors from here on are shown without decimals
NOTHING = "no series in question has a known usage and limit"


def factor_text(factor: float | None) -> str:
    """Return a factor as text: `x1.08`; `no usage` for None."""
    if factor is None:
        return "no usage"
    return f"x{factor:.2f}" if factor < MIN_WHOLE_FACTOR else f"x{factor:,.0f}"


def usage_text(stressed: StressedSeries) -> str:
    """Return the utilization of a series under the question: `at least 300 % of 4 MiB/s`."""
    used = f"{format_percent(stressed.utilization)} of {stressed.signal.unit.format(stressed.limit)}"
    return f"at least {used}" if stressed.peak_is_lower_bound else used


def basis_text(stressed: StressedSeries) -> str:
    """Return the peak that an answer is based on, and the effective ceiling, in words."""
    unit = stressed.signal.unit
    at = f" on {_time(stressed.peak_at)}" if stressed.peak_at is not None else ""
    parts = [f"peak {unit.format(stressed.peak)}{at}"]
    if stressed.p99 is not None:
        parts.append(f"p99 {unit.format(stressed.p99)}")
    if stressed.ceiling is not None and stressed.ceiling < stressed.limit:
        parts.append(f"throttled from {unit.format(stressed.ceiling)} on (inferred)")
    if stressed.basis is Basis.SHORT:
        parts.append(
            f"by {stressed.history_days:g} {agreeing(stressed.history_days, 'day', 'days')} of history"
        )
    if stressed.basis is Basis.HOURS:
        parts.append("by the last three hours")
    if stressed.basis is Basis.NOW:
        parts.append("by one sample")
    if stressed.received:
        parts.append("with the traffic received" + (", peaks added up" if stressed.sums_peaks else ""))
    return "; ".join(parts)


def remedy_text(stressed: StressedSeries) -> str:
    """Return the remedy of a broken series, in words; empty for other series."""
    remedy = stressed.remedy
    if remedy is None:
        return ""
    if not remedy.pending:
        return remedy.text
    return f"{remedy.text}; the pending request is {'' if remedy.pending_is_enough else 'not '}enough"


def request_text(request: QuotaToRequest) -> str:
    """Return a quota to ask for in words."""
    is_enough = "" if request.pending_is_enough else "not "
    pending = f" {request.pending} That is {is_enough}enough." if request.pending else ""
    quota = f"{request.quota.service} {request.quota.code} ({request.signal.id})"
    return f"Ask AWS for {request.value:,.12g} of {quota} in {request.account}/{request.region}.{pending}"


def summary(answer: Answer) -> str:
    """Return how many series break, and what makes room, in a sentence."""
    total, broken, broken_now = answer.total, answer.broken, answer.broken_now
    if not total:
        return f"{answer.question.words}: {NOTHING}."
    if not broken:
        return f"{answer.question.words}: 0 of {count_of(total, 'series')} break."
    already = f", {broken_now:,} without any change" if broken_now else ""
    breaking = f"{broken:,} of {count_of(total, 'series')} {agreeing(broken, 'breaks', 'break')}{already}"
    return f"{answer.question.words}: {breaking}. To make room, {', '.join(_room_parts(answer))}."


def _room_parts(answer: Answer) -> Iterator[str]:
    """Yield what makes room, in words. One quota can limit several series, and is asked for once."""
    asked, quotas = answer.actions[Action.REQUEST], answer.requests_total
    changed, redesigned = answer.actions[Action.CHANGE], answer.actions[Action.REDESIGN]
    if asked:
        of_series = "" if asked == quotas else f" ({count_of(asked, 'series')})"
        yield f"ask AWS for {count_of(quotas, 'quota')}{of_series}"
    if changed:
        yield f"change {count_of(changed, 'limit')} yourself"
    if redesigned:
        yield f"redesign {redesigned:,}"


def left_out_text(answer: Answer) -> str:
    """Return how many series are left out, as they do not grow with traffic; empty if none is."""
    number = answer.not_growing
    if not number:
        return ""
    verb, be = agreeing(number, "counts", "count"), agreeing(number, "is", "are")
    return f"{number:,} series {verb} things or stored amounts, and {be} left out."


def _time(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%-d %b %H:%M} UTC"
