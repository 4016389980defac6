"""The output formats of `headroom cost`: tables for the terminal, and JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from monitor.cost.bills import ProjectedCost, sum_of
from monitor.cost.streaming import StreamAdvice
from monitor.lib.durations import format_duration
from monitor.planning.budget import AllowanceStatus
from monitor.report.cost_estimate import CostEstimate, PayerEstimate, ServiceEstimate
from rules.plurals import count_of
from rules.signals import Tier

STREAM_DOLLARS = ("polled_monthly_dollars", "streamed_monthly_dollars", "saved_monthly_dollars")
PRUNED_NOTE = (
    "pruned: metrics that are read only for a rare check while an aggregate of CloudWatch's is 0, "
    "such as the Throttles of all Lambda functions of an account"
)
IDLE_NOTE = (
    "idle: a metric without a point for three hours is read once an hour, until ListMetrics lists it again; "
    "which metrics are idle is known only after reading them; then the cost page shows what that saves"
)
NEAR_NOTE = (
    "nearer to a limit: more often, and at every poll above the band or with an alert; in simulations with "
    "polls every minute, 99 of 100 crossings of the band's upper edge were found at most a minute later than "
    "if all metrics had been requested every minute"
)
NEAR_NOTE_WITH_BUDGET = (
    "nearer to a limit: more often, as far as the budget allows; the intervals of the metrics in the most "
    "danger are lengthened last"
)


def as_table(estimate: CostEstimate) -> str:
    """Return a table of the services and their sum, and further tables, such as that of paying accounts."""
    has_what_if = any(service.what_if for service in estimate.services)
    header = (
        "service",
        "metrics",
        "pruned",
        "$/month",
        "every minute",
        "metrics added by details",
        "$/month added",
    )
    rows = [header + (("what if",) if has_what_if else ())]
    rows += [(service.service, *_texts(service)) for service in estimate.services]
    rows.append(("all", *_texts(_total(estimate.services))))
    more_lines = (
        *_interval_lines(estimate),
        *_budget_lines(estimate.budgets),
        *_path_lines(estimate.paths),
        *_tier_lines(estimate.tiers),
        *_payer_lines(estimate.payers),
        *_stream_lines(estimate.streams),
    )
    has_pruned = any(service.now.pruned_metrics for service in estimate.services)
    pruned_note = ["", PRUNED_NOTE] if has_pruned else []
    return "\n".join([*_lines(rows), *pruned_note, "", IDLE_NOTE, *more_lines])


def _interval_lines(estimate: CostEstimate) -> list[str]:
    """Return the lines that tell how often metrics are requested; none without metrics."""
    if not estimate.intervals:
        return []
    counts = [
        f"{count_of(metrics, 'metric')} every {format_duration(minutes * 60)}"
        for minutes, metrics in sorted(estimate.intervals.items())
    ]
    near_note = NEAR_NOTE_WITH_BUDGET if estimate.budgets else NEAR_NOTE
    return ["", f"far from limits: {', '.join(counts)}", near_note]


def _budget_lines(budgets: Sequence[AllowanceStatus]) -> list[str]:
    """Return the lines of the budgets; none without a budget."""
    lines = []
    for budget in budgets:
        account_text = f" of account {budget.account}" if budget.account else ""
        too_small = ", too small" if budget.is_too_small else ""
        lines.append(
            f"budget{account_text}: ${budget.dollars_per_month:,.2f} a month{too_small}; to request each "
            f"metric once an hour, which is done in any case, costs ${budget.minimum_dollars:,.2f}"
        )
    return ["", *lines] if lines else []


def _path_lines(paths: ProjectedCost) -> list[str]:
    """Return the line of the metrics that are read only for request paths; none without such metrics."""
    if not paths.polled_metrics:
        return []
    metrics = f"{count_of(paths.polled_metrics, 'metric')} every five minutes"
    return ["", f"request paths, beside these: {metrics}, ${paths.monthly_dollars:,.2f} a month"]


def _tier_lines(tiers: Mapping[Tier, ProjectedCost]) -> list[str]:
    """Return the table of the tiers of the signals that are read."""
    rows = [
        (tier.value, f"{cost.polled_metrics:,}", f"{cost.monthly_dollars:,.2f}")
        for tier, cost in tiers.items()
    ]
    return ["", *_lines([("tier", "metrics", "$/month"), *rows])] if tiers else []


def _stream_lines(streams: Sequence[StreamAdvice]) -> list[str]:
    """Return the table of the metrics to stream; none if polling is cheaper."""
    if not streams:
        return []
    header = ("stream", "account", "region", "metrics", "polled $/month", "streamed", "saved")
    rows = [
        (
            stream.namespace,
            stream.account,
            stream.region,
            f"{stream.metric_count:,}",
            *map("{:,.2f}".format, _dollars_of(stream)),
        )
        for stream in streams
    ]
    names = dict.fromkeys(name for stream in streams for name in _metric_names(stream))
    options = " ".join(f"--metric {name}" for name in names)
    saved = sum(stream.saved_dollars for stream in streams)
    return [
        "",
        f"A metric stream of these saves ${saved:,.2f} a month, and more where metrics have no points:",
        *_lines([header, *rows]),
        f"headroom stream setup --format terraform {options}",
    ]


def _metric_names(stream: StreamAdvice) -> list[str]:
    """Return the names of the metrics, each after its namespace: `AWS/SQS:NumberOfMessagesSent`."""
    return [f"{stream.namespace}:{name}" for name in stream.names]


def _dollars_of(stream: StreamAdvice) -> tuple[float, float, float]:
    return stream.polled_dollars, stream.streamed_dollars, stream.saved_dollars


def _payer_lines(payers: Sequence[PayerEstimate]) -> list[str]:
    """Return the table of the accounts that pay; none if one account pays only for itself, in dollars."""
    in_dollars = all(payer.dollars is not None for payer in payers)
    if len(payers) <= 1 and in_dollars and not any(payer.other_accounts for payer in payers):
        return []
    rows = [
        (payer.account, f"{payer.other_accounts:,}", f"{payer.now.polled_metrics:,}", payer.amount_text)
        for payer in payers
    ]
    return ["", *_lines([("paid by", "other accounts", "metrics", "$/month"), *rows])]


def _lines(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _total(estimates: Sequence[ServiceEstimate]) -> ServiceEstimate:
    what_ifs = [estimate.what_if for estimate in estimates if estimate.what_if]
    return ServiceEstimate(
        "all",
        sum_of(estimate.now for estimate in estimates),
        sum_of(estimate.added for estimate in estimates),
        sum_of(estimate.every_minute for estimate in estimates),
        sum_of(what_ifs) if what_ifs else None,
    )


def _texts(estimate: ServiceEstimate) -> tuple[str, ...]:
    """Return the texts of a row after its first one, in the order of the header in `as_table`."""
    what_if = (f"{estimate.what_if.monthly_dollars:,.2f}",) if estimate.what_if else ()
    return (
        f"{estimate.now.polled_metrics:,}",
        f"{estimate.now.pruned_metrics:,}",
        f"{estimate.now.monthly_dollars:,.2f}",
        f"{estimate.every_minute.monthly_dollars:,.2f}",
        f"{estimate.added.polled_metrics:,}",
        f"{estimate.added.monthly_dollars:,.2f}",
        *what_if,
    )


def _tiers_and_streams(estimate: CostEstimate) -> dict[str, list[dict[str, Any]]]:
    """Return the tiers and the advice on streams, for JSON."""
    tiers = [
        {
            "tier": tier.value,
            "polled_metrics": cost.polled_metrics,
            "monthly_dollars": round(cost.monthly_dollars, 2),
        }
        for tier, cost in estimate.tiers.items()
    ]
    streams = [
        {"account": stream.account, "region": stream.region, "namespace": stream.namespace}
        | {"metric_names": list(stream.names), "metrics": stream.metric_count}
        | dict(zip(STREAM_DOLLARS, (round(dollars, 2) for dollars in _dollars_of(stream)), strict=True))
        for stream in estimate.streams
    ]
    return {"tiers": tiers, "streams": streams}


def _intervals_and_budgets(estimate: CostEstimate) -> dict[str, list[dict[str, Any]]]:
    """Return how often metrics are requested, and the budgets, for JSON."""
    intervals = [
        {"minutes": minutes, "metrics": metrics} for minutes, metrics in sorted(estimate.intervals.items())
    ]
    budgets = [
        {
            "account": budget.account or None,
            "dollars_per_month": budget.dollars_per_month,
            "minimum_monthly_dollars": round(budget.minimum_dollars, 2),
            "is_too_small": budget.is_too_small,
        }
        for budget in estimate.budgets
    ]
    return {"intervals": intervals, "budgets": budgets}


def as_json(estimate: CostEstimate) -> str:
    """Return the whole estimate as JSON: costs by service, tier and paying account, and the failures."""
    services = [
        {
            "service": service.service,
            "polled_metrics": service.now.polled_metrics,
            "monthly_dollars": round(service.now.monthly_dollars, 2),
            "pruned_metrics": service.now.pruned_metrics,
            "pruned_monthly_dollars": round(service.now.pruned_dollars, 2),
            "every_minute_monthly_dollars": round(service.every_minute.monthly_dollars, 2),
            "detail_metrics": service.added.polled_metrics,
            "detail_monthly_dollars": round(service.added.monthly_dollars, 2),
        }
        | ({"what_if_monthly_dollars": round(service.what_if.monthly_dollars, 2)} if service.what_if else {})
        for service in estimate.services
    ]
    payers = [
        {
            "account": payer.account,
            "other_accounts": payer.other_accounts,
            "polled_metrics": payer.now.polled_metrics,
            "currency": payer.prices.currency if payer.prices else None,
            "monthly_amount": payer.amount and round(payer.amount, 2),
            "monthly_dollars": payer.dollars and round(payer.dollars, 2),
        }
        for payer in estimate.payers
    ]
    content = {
        "services": services,
        **_tiers_and_streams(estimate),
        "paid_by": payers,
        "paths": {
            "polled_metrics": estimate.paths.polled_metrics,
            "monthly_dollars": round(estimate.paths.monthly_dollars, 2),
        },
        **_intervals_and_budgets(estimate),
        "failures": estimate.failures.by_failure,
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


FORMATS = {"table": as_table, "json": as_json}
