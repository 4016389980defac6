"""Ways to make room for a demand: a request to AWS, a command, or another design."""

from collections.abc import Sequence
from math import ceil

from collectors.quotas import QUOTAS_SERVICE
from monitor.fleet.fleet import Series
from monitor.render.commands import command_for_limit, command_of_signal
from monitor.what_if.answer import Action, QuotaToRequest, Remedy, StressedSeries
from rules.signals import LimitKind, Quota, Signal
from rules.units import UnitKind

NUMBER = "{number}"  # placeholder in a command
QUOTA_PATH_LENGTH = 2  # the service code and the quota code, at the beginning of a resource path


def action_of(signal: Signal) -> Action:
    """Return the way to make room below a limit of a signal."""
    command = command_of_signal(signal)
    if command and command.is_request:
        return Action.REQUEST
    is_fixed = signal.kind is LimitKind.FIXED and not (command and command.is_change)
    return Action.REDESIGN if is_fixed else Action.CHANGE


def settable_limit(signal: Signal, needed: float) -> float:
    """Return the lowest limit of at least `needed` that can be set.

    A limit that a command sets by its number, and a limit that is a count, can only be multiples of a step.
    """
    command = command_of_signal(signal)
    step = command.unit_value if command else signal.quota_unit
    has_steps = (command and NUMBER in command.run) or (
        signal.unit.kind is UnitKind.COUNT and not signal.unit.is_rate
    )
    return ceil(needed / step) * step if has_steps else needed


def remedy_of(series: Series, needed: float, present: float) -> Remedy:
    """Return the remedy that raises the limit to `needed`, a settable limit. present: the limit in force."""
    signal, action = series.settings.signal, action_of(series.settings.signal)
    amount = None if signal.unit.kind is UnitKind.PERCENT else needed
    command, declared_command = command_for_limit(signal, series, amount, present), command_of_signal(signal)
    max_factor = declared_command.max_factor if declared_command else None
    needs_several_calls = max_factor is not None and needed > present * max_factor
    request = series.settings.quota_request
    is_pending = bool(request and request.pending)
    return Remedy(
        action=action,
        text=_text(
            signal, action, needed, present * max_factor if max_factor and needs_several_calls else None
        ),
        command=command or "",
        needs_several_calls=needs_several_calls,
        pending=series.settings.request_sentence if is_pending else "",
        pending_is_enough=bool(request and is_pending and request.desired >= needed),
    )


def _text(signal: Signal, action: Action, needed: float, step: float | None) -> str:
    """Return a remedy in words. step: the limit after one call, if one call is not enough."""
    amount = _amount(signal, needed)
    if action is Action.REQUEST:
        return f"Ask AWS for {amount}"
    command = command_of_signal(signal)
    if signal.unit.kind is UnitKind.PERCENT or not command or NUMBER not in command.run:
        return signal.remedy[0]
    if step is not None:
        return f"Raise it to {_amount(signal, step)}, and again up to {amount}"
    return f"Raise it to {amount}"


def _amount(signal: Signal, limit: float) -> str:
    """Return a limit without rounding, as it is set: `5,144 concurrent executions`."""
    unit = signal.unit
    is_exact = unit.kind is UnitKind.COUNT and limit.is_integer()
    return f"{limit:,.0f} {unit.symbol}" if is_exact else unit.format(limit)


def quotas_to_request(broken: Sequence[StressedSeries]) -> list[QuotaToRequest]:
    """Return the quotas to ask for, each once and with the highest value that a series needs."""
    requests: dict[tuple[str, ...], QuotaToRequest] = {}
    for stressed in broken:
        quota = quota_of(stressed.series)
        if (
            quota
            and stressed.remedy
            and stressed.remedy.action is Action.REQUEST
            and stressed.needed_limit is not None
        ):
            request = _to_request(stressed, stressed.remedy, quota, stressed.needed_limit)
            identity = (
                request.account,
                request.region,
                quota.service,
                quota.code,
                stressed.series.settings.quota_arn,
            )
            earlier = requests.get(identity)
            requests[identity] = request if earlier is None else _merge(earlier, request)
    return [*requests.values()]


def _to_request(stressed: StressedSeries, remedy: Remedy, quota: Quota, needed: float) -> QuotaToRequest:
    return QuotaToRequest(
        account=stressed.series.key.account,
        region=stressed.series.aws_region,
        quota=quota,
        signal=stressed.signal,
        value=float(ceil(needed / stressed.signal.quota_unit)),
        series_count=1,
        command=remedy.command,
        pending=remedy.pending,
        pending_is_enough=remedy.pending_is_enough,
    )


def _merge(first: QuotaToRequest, second: QuotaToRequest) -> QuotaToRequest:
    higher = first if first.value >= second.value else second
    return QuotaToRequest(
        account=first.account,
        region=first.region,
        quota=first.quota,
        signal=higher.signal,
        value=higher.value,
        series_count=first.series_count + second.series_count,
        command=higher.command,
        pending=higher.pending,
        pending_is_enough=higher.pending_is_enough,
    )


def quota_of(series: Series) -> Quota | None:
    """Return the quota of a series; None if its limit is no quota of Service Quotas."""
    signal, path = series.settings.signal, series.key.subject.path
    if signal.quota or signal.service != QUOTAS_SERVICE or len(path) < QUOTA_PATH_LENGTH:
        return signal.quota
    return Quota.model_construct(service=path[0], code=path[1])
