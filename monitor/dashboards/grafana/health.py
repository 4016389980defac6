"""Headroom itself: what watching costs, what it sees, and whether its loops keep up."""

from grafana_foundation_sdk.models import units

from monitor.dashboards.grafana.panels import AnyPanel, chart, number, query, rows, shown_as
from monitor.dashboards.grafana.queries import (
    CHOSEN,
    FAILED_CALLS,
    age,
    blind_cells,
    or_zero,
    select,
)
from monitor.dashboards.grafana.shell import Board

CELL = ("account", "region")
CELLS = {label: CHOSEN[label] for label in (*CELL, "service")}
MONTH = 30 * 24 * 3600  # seconds
COST, REQUESTED, STREAMED = (
    select(f"headroom_{family}_total", CELLS, tuple(CELLS))
    for family in ("estimated_cost_dollars", "metrics_requested", "stream_updates")
)
RATE = "$__rate_interval"


def health() -> Board:
    """Cost of the fleet, and health of Headroom."""
    return Board(
        "health",
        "Cost and health",
        "What watching costs, what is not read, and whether Headroom keeps up.",
        CELLS,
        {"Cost": _cost(), "Sight": _sight(), "Loops": _loops(), "Process": _process()},
    )


def _cost() -> list[AnyPanel]:
    monthly = f"sum (rate({COST}[1h])) * {MONTH}"
    spent = f"sum (increase({COST}[$__range]))"
    series = select("headroom_series", CELLS, tuple(CELLS))
    streamed = or_zero(f"sum (rate({STREAMED}[1h]))")
    by_cell = f"sum by (account, region) (rate({COST}[1h])) * {MONTH}"
    by_service = f"sum by (service) (rate({COST}[1h])) * {MONTH}"
    cell, service = "{{account}} {{region}}", "{{service}}"
    return [
        number("A month of watching", "As in the last hour, for 30 days.", monthly, units.Dollars).span(6),
        number("Spent", "In the time that is shown.", spent, units.Dollars).span(6),
        number("Series", "All that is known of, in whatever zone.", f"sum ({series})"),
        number("Metrics per second", "Asked of CloudWatch.", f"sum (rate({REQUESTED}[1h]))"),
        number("Updates per second", "That streams bring, used or not.", streamed),
        chart(
            "A month of watching, by service",
            "As in the hour before; without a name: what a stream brings and nobody uses.",
            [query(by_service, service)],
            units.Dollars,
        ).span(8),
        chart(
            "A month of watching, by cell",
            "An account in a region, as in the hour before.",
            [query(by_cell, cell)],
            units.Dollars,
        ).span(8),
        chart(
            "Series, by service", "All that is known of.", [query(f"sum by (service) ({series})", service)]
        ).span(8),
    ]


def _sight() -> list[AnyPanel]:
    failed = f"sum by (service, operation, code) (increase({FAILED_CALLS}[1h])) > 0"
    calls = f"sum by (service) (rate(headroom_aws_calls_total[{RATE}]))"
    cells = age("headroom_poll_timestamp_seconds", CELLS, CELL)
    inventories = age("headroom_inventory_timestamp_seconds", CELLS, (*CELL, "service"))
    decode = "sum (increase(headroom_decode_errors_total[1h]))"
    points = f'sum by (source) (rate(headroom_points_total{{outcome="written"}}[{RATE}]))'
    return [
        number(
            "Blind cells", "Not read completely for 15 minutes, or never.", blind_cells(CELLS), color="red"
        ),
        number("Undecodable results, in an hour", "From CloudWatch.", or_zero(decode), color="red"),
        rows("Failed calls, in an hour", "By their error code.", {"calls": or_zero(failed)}).span(16),
        rows("Last complete read", "Of a cell's metrics.", {"age": cells}, sort="age")
        .override_by_name("age", shown_as(units.Seconds))
        .span(12),
        rows("Last complete inventory", "Of a service in a cell.", {"age": inventories}, sort="age")
        .override_by_name("age", shown_as(units.Seconds))
        .span(12),
        chart("Calls per second", "To AWS, by service.", [query(calls, "{{service}}")]).span(12),
        chart(
            "Points per second",
            "By stream, or by poll: it brings the last minutes again, as they may be revised.",
            [query(points, "{{source}}")],
        ).span(12),
    ]


def _loops() -> list[AnyPanel]:
    duration = "headroom_tick_duration_seconds"
    slow = f"histogram_quantile(0.95, sum by (loop, le) (rate({duration}_bucket[1h])))"
    turns = "sum by (loop) (rate(headroom_ticks_total[1h]))"
    missed = "sum by (loop) (increase(headroom_missed_ticks_total[1h]))"
    failures = or_zero("sum (increase(headroom_tick_failures_total[1h]))")
    refused = or_zero('sum (increase(headroom_config_reloads_total{outcome="refused"}[$__range]))')
    loop = "{{loop}}"
    return [
        number("Failed turns, in an hour", "Unexpected errors; the log has them.", failures, color="red"),
        number("Refused reloads", "New configurations that were wrong.", refused, color="orange"),
        rows("Version", "What runs where.", {"processes": "headroom_build_info"}, ("__name__",))
        .height(4)
        .span(16),
        chart("Duration of a turn", "95 of 100 are shorter.", [query(slow, loop)], units.Seconds).span(8),
        chart("Turns per second", "Each loop has its interval.", [query(turns, loop)]).span(8),
        chart("Missed turns, in an hour", "The one before took too long.", [query(missed, loop)]).span(8),
    ]


def _process() -> list[AnyPanel]:
    running = "* on (instance, job) group_left headroom_build_info"
    cpu = f"rate(process_cpu_seconds_total[{RATE}]) {running}"
    memory = f"process_resident_memory_bytes {running}"
    files = f"process_open_fds {running} / process_max_fds"
    where = "{{instance}}"
    return [
        chart("CPU", "Cores.", [query(cpu, where)]).span(8),
        chart("Memory", "Resident.", [query(memory, where)], units.BytesIEC).span(8),
        chart("Open files", "Of those allowed.", [query(files, where)], units.PercentUnit).span(8),
    ]
