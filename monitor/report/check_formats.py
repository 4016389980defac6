"""The output formats of `headroom check`: a table for the terminal, JSON, CSV and Markdown."""

import csv
from itertools import zip_longest
from typing import TextIO

import orjson

from monitor.fleet.key import LABELS
from monitor.fleet.rows import Row, utc_text
from monitor.render.markdown import code_span, escape_markdown
from monitor.render.spreadsheet import spreadsheet_cell
from monitor.report.check_tables import NUMERIC_COLUMNS, column_texts, columns_of, forecast_text, write_table
from monitor.report.report import Report, rows_with_numbers, unobservable_entries
from rules.forecast import QUANTILES
from rules.forecast_features import HORIZON_TEXTS

PROBABILITIES = tuple(f"probability_{text}" for text in HORIZON_TEXTS.values())
FIELDS = (
    "zone",
    *LABELS,
    "resource_id",
    "usage",
    "upper_bound",
    "limit",
    "unit",
    "utilization",
    "saturation",
    "source",
    "sampled_at",
    "unobservable",
    "enable",
    "largest",
    "forecast",
    *PROBABILITIES,
    "reached_from",
    "reached_until",
    "effective_ceiling",
)


def json_record(row: Row) -> dict[str, object]:
    """Return a row with the fields that the API has for a series, and unrounded numbers."""
    unobservable, reach = row.unobservable, row.reach
    return {
        "id": row.key.id,
        "resource_id": row.key.subject.id,
        **row.key.labels,
        "zone": row.zone.word,
        "bounded": row.bounded,
        "usage": row.usage,
        "upper_bound": row.upper_bound,
        "limit": row.limit,
        "unit": row.unit.name,
        "source": row.source and row.source.value,
        "utilization": row.utilization,
        "saturation": row.throttled,
        "forecast": {
            "summary": forecast_text(row),
            "probability": dict(zip(HORIZON_TEXTS.values(), reach.probability, strict=False)),
            "reached_at": {
                str(quantile): utc_text(minute * 60)
                for quantile, minute in zip(QUANTILES, reach.minutes, strict=False)
            },
            "history_days": reach.history_days,
            "effective_ceiling": reach.ceiling,
        },
        "sampled_at": row.sample_time_text or None,
        "largest": row.largest_resource,
        "unobservable": unobservable
        and {
            "reason": unobservable.reason,
            "enable_command": unobservable.enable_command,
            "enable_cost": unobservable.cost.text if unobservable.cost else None,
        },
    }


def csv_record(row: Row) -> dict[str, object]:
    """Return a row as a CSV record: unrounded numbers, the utilization as a ratio."""
    unobservable = row.unobservable
    return {
        "zone": row.zone.word,
        "resource_id": row.key.subject.id,
        **row.key.labels,
        "usage": row.usage,
        "upper_bound": row.upper_bound,
        "limit": row.limit,
        "unit": row.unit.name,
        "utilization": row.utilization,
        "saturation": row.throttled,
        "source": row.source and row.source.value,
        "sampled_at": row.sample_time_text or None,
        "unobservable": unobservable and unobservable.reason,
        "enable": unobservable and unobservable.enable_command,
        "largest": row.largest_resource,
        "forecast": forecast_text(row),
        **dict(zip_longest(PROBABILITIES, row.reach.probability)),
        "reached_from": utc_text(row.reach.minutes[0] * 60) if row.reach.minutes else None,
        "reached_until": utc_text(row.reach.minutes[-1] * 60) if row.reach.minutes else None,
        "effective_ceiling": row.reach.ceiling,
    }


def write_json(report: Report, out: TextIO) -> None:
    """Write one document: `items` (the series), `total`, `failures` and `unread_quotas`."""
    document = {
        "items": [json_record(row) for row in report.rows],
        "total": len(report.rows),
        "failures": report.failures.by_failure,
        "unread_quotas": report.unread_quotas._asdict(),
    }
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def write_csv(report: Report, out: TextIO) -> None:
    """Write one record per series. An apostrophe precedes text that a spreadsheet would evaluate."""
    writer = csv.DictWriter(out, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({name: spreadsheet_cell(value) for name, value in csv_record(row).items()})


def write_markdown(report: Report, out: TextIO) -> None:
    """Write a table, and a list of unobservable series and failed reads, for an issue or a chat."""
    columns = columns_of(report.rows)
    ruler = ["---:" if column in NUMERIC_COLUMNS else "---" for column in columns]
    texts = (column_texts(row)[: len(columns)] for row in rows_with_numbers(report))
    rows = [columns, ruler, *texts]
    out.writelines(f"| {' | '.join(map(escape_markdown, row))} |\n" for row in rows)
    items = [
        f"Unobservable: {escape_markdown(f'{names}: {reason}')}"
        + (f": {code_span(command)}" if command else "")
        for names, reason, command in unobservable_entries(report)
    ]
    items += [f"Failed read: {escape_markdown(sentence)}" for sentence in report.failures.listed_sentences]
    items += [escape_markdown(report.unread_quotas.sentence)] if report.unread_quotas.sentence else []
    out.write("\n" if items else "")
    out.writelines(f"- {line}\n" for line in items)


FORMATS = {"table": write_table, "json": write_json, "csv": write_csv, "markdown": write_markdown}
