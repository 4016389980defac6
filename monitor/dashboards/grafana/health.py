"""The dashboard of Headroom itself: cost, coverage, loops and process."""

from grafana_foundation_sdk.models import units

from monitor.dashboards.grafana.board import Board
from monitor.dashboards.grafana.panels import (
    CELL_LEGEND,
    AnyPanel,
    chart_panel,
    query,
    stat_panel,
    table_panel,
    unit_override,
)
from monitor.dashboards.grafana.queries import (
    ACCOUNT,
    FAILED_CALLS,
    REGION,
    SELECTED,
    SERVICE,
    age,
    blind_cells,
    or_zero,
    select,
)

CELL_LABELS = (ACCOUNT, REGION)
CELL_AND_SERVICE = {label: SELECTED[label] for label in (*CELL_LABELS, SERVICE)}
MONTH = 30 * 24 * 3600  # seconds
COST, REQUESTED, STREAMED = (
    select(f"headroom_{family}_total", CELL_AND_SERVICE, tuple(CELL_AND_SERVICE))
    for family in ("estimated_cost_dollars", "metrics_requested", "stream_updates")
)
RATE = "$__rate_interval"


def health_board() -> Board:
    """Return the dashboard of the cost and the health of Headroom."""
    return Board(
        "health",
        "Cost and health",
        "Cost of monitoring, coverage, and the health of the loops and the process.",
        CELL_AND_SERVICE,
        {"Cost": _cost(), "Coverage": _coverage(), "Loops": _loops(), "Process": _process()},
    )


def _cost() -> list[AnyPanel]:
    monthly = f"sum (rate({COST}[1h])) * {MONTH}"
    spent = f"sum (increase({COST}[$__range]))"
    series = select("headroom_series", CELL_AND_SERVICE, tuple(CELL_AND_SERVICE))
    streamed = or_zero(f"sum (rate({STREAMED}[1h]))")
    by_cell = f"sum by ({', '.join(CELL_LABELS)}) (rate({COST}[1h])) * {MONTH}"
    by_service = f"sum by ({SERVICE}) (rate({COST}[1h])) * {MONTH}"
    service_legend = f"{{{{{SERVICE}}}}}"
    return [
        stat_panel(
            "Cost per month", "At the rate of the last hour, for 30 days.", monthly, units.Dollars
        ).span(6),
        stat_panel("Cost", "In the selected time range.", spent, units.Dollars).span(6),
        stat_panel("Series", "All series, in any zone.", f"sum ({series})"),
        stat_panel("Metrics per second", "Requested of CloudWatch.", f"sum (rate({REQUESTED}[1h]))"),
        stat_panel("Updates per second", "Received from metric streams, used or not.", streamed),
        chart_panel(
            "Cost per month by service",
            "At the rate of the preceding hour. Without a name: streamed metrics that no service uses.",
            [query(by_service, service_legend)],
            units.Dollars,
        ).span(8),
        chart_panel(
            "Cost per month by cell",
            "A cell is an account in a region. At the rate of the preceding hour.",
            [query(by_cell, CELL_LEGEND)],
            units.Dollars,
        ).span(8),
        chart_panel(
            "Series by service", "All series.", [query(f"sum by ({SERVICE}) ({series})", service_legend)]
        ).span(8),
    ]


def _coverage() -> list[AnyPanel]:
    failed = f"sum by ({SERVICE}, operation, code) (increase({FAILED_CALLS}[1h])) > 0"
    call_rate = f"sum by ({SERVICE}) (rate(headroom_aws_calls_total[{RATE}]))"
    poll_ages = age("headroom_poll_timestamp_seconds", CELL_AND_SERVICE, CELL_LABELS)
    inventory_ages = age("headroom_inventory_timestamp_seconds", CELL_AND_SERVICE, (*CELL_LABELS, SERVICE))
    decode_errors = "sum (increase(headroom_decode_errors_total[1h]))"
    point_rate = f'sum by (source) (rate(headroom_points_total{{outcome="written"}}[{RATE}]))'
    return [
        stat_panel(
            "Blind cells",
            "Never completely read, or not for 15 minutes.",
            blind_cells(CELL_AND_SERVICE),
            color="red",
        ),
        stat_panel(
            "Decode errors in an hour", "In responses of CloudWatch.", or_zero(decode_errors), color="red"
        ),
        table_panel("Failed calls in an hour", "By error code.", {"calls": or_zero(failed)}).span(16),
        table_panel("Last complete poll", "Of the metrics of each cell.", {"age": poll_ages}, sort="age")
        .override_by_name("age", unit_override(units.Seconds))
        .span(12),
        table_panel(
            "Last complete inventory", "Of each service in each cell.", {"age": inventory_ages}, sort="age"
        )
        .override_by_name("age", unit_override(units.Seconds))
        .span(12),
        chart_panel("Calls per second", "To AWS, by service.", [query(call_rate, f"{{{{{SERVICE}}}}}")]).span(
            12
        ),
        chart_panel(
            "Points per second",
            "From streams and from polls. Polls repeat the last minutes, because CloudWatch may revise them.",
            [query(point_rate, "{{source}}")],
        ).span(12),
    ]


def _loops() -> list[AnyPanel]:
    duration = "headroom_tick_duration_seconds"
    tick_duration = f"histogram_quantile(0.95, sum by (loop, le) (rate({duration}_bucket[1h])))"
    iterations = "sum by (loop) (rate(headroom_ticks_total[1h]))"
    missed = "sum by (loop) (increase(headroom_missed_ticks_total[1h]))"
    failures = or_zero("sum (increase(headroom_tick_failures_total[1h]))")
    refused_reloads = or_zero('sum (increase(headroom_config_reloads_total{outcome="refused"}[$__range]))')
    loop_legend = "{{loop}}"
    return [
        stat_panel("Failed iterations in an hour", "Unexpected errors; see the log.", failures, color="red"),
        stat_panel(
            "Rejected reloads", "New configurations that were invalid.", refused_reloads, color="orange"
        ),
        table_panel("Version", "Of each process.", {"processes": "headroom_build_info"}, ("__name__",))
        .height(4)
        .span(16),
        chart_panel(
            "Duration of an iteration", "95th percentile.", [query(tick_duration, loop_legend)], units.Seconds
        ).span(8),
        chart_panel("Iterations per second", "By loop.", [query(iterations, loop_legend)]).span(8),
        chart_panel(
            "Skipped iterations in an hour",
            "Because the previous one took too long.",
            [query(missed, loop_legend)],
        ).span(8),
    ]


def _process() -> list[AnyPanel]:
    of_headroom = "* on (instance, job) group_left headroom_build_info"
    cpu = f"rate(process_cpu_seconds_total[{RATE}]) {of_headroom}"
    memory = f"process_resident_memory_bytes {of_headroom}"
    open_files = f"process_open_fds {of_headroom} / process_max_fds"
    legend = "{{instance}}"
    return [
        chart_panel("CPU", "Used cores.", [query(cpu, legend)]).span(8),
        chart_panel("Memory", "Resident set size.", [query(memory, legend)], units.BytesIEC).span(8),
        chart_panel("Open files", "Share of the limit.", [query(open_files, legend)], units.PercentUnit).span(
            8
        ),
    ]
