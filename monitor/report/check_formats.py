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
from monitor.report.report import Report, observable_rows, unobservable_entries
from rules.forecast_features import HORIZON_WORDS

PROBABILITIES = tuple(f"probability_{word}" for word in HORIZON_WORDS.values())
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


def record(row: Row) -> dict[str, object]:
    """Return a row as JSON and CSV contain it: unrounded numbers, the utilization as a ratio."""
    reason = row.unobservable
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
        "sampled_at": row.sampled_at or None,
        "unobservable": reason and reason.reason,
        "enable": reason and reason.enable_command,
        "largest": row.largest,
        "forecast": forecast_text(row),
        **dict(zip_longest(PROBABILITIES, row.reach.probability)),
        "reached_from": utc_text(row.reach.minutes[0] * 60) if row.reach.minutes else None,
        "reached_until": utc_text(row.reach.minutes[-1] * 60) if row.reach.minutes else None,
        "effective_ceiling": row.reach.ceiling,
    }


def write_json(report: Report, out: TextIO) -> None:
    """Write one document with `series`, every field of each, `failures` and `unread_quotas`."""
    document = {
        "series": [record(row) for row in report.rows],
        "failures": report.failures.each,
        "unread_quotas": report.unread_quotas._asdict(),
    }
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


def write_csv(report: Report, out: TextIO) -> None:
    """Write one record per series. An apostrophe precedes what a spreadsheet would evaluate."""
    writer = csv.DictWriter(out, list(FIELDS), lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({name: spreadsheet_cell(value) for name, value in record(row).items()})


def write_markdown(report: Report, out: TextIO) -> None:
    """Write a table, and a list of what could not be read, for an issue or a chat."""
    columns = columns_of(report.rows)
    ruler = ["---:" if column in NUMERIC_COLUMNS else "---" for column in columns]
    texts = (column_texts(row)[: len(columns)] for row in observable_rows(report))
    rows = [columns, ruler, *texts]
    out.writelines(f"| {' | '.join(map(escape_markdown, row))} |\n" for row in rows)
    items = [
        f"Unobservable: {escape_markdown(f'{names}: {reason}')}"
        + (f": {code_span(command)}" if command else "")
        for names, reason, command in unobservable_entries(report)
    ]
    items += [f"Failed read: {escape_markdown(sentence)}" for sentence in report.failures.listed]
    items += [escape_markdown(report.unread_quotas.sentence)] if report.unread_quotas.sentence else []
    out.write("\n" if items else "")
    out.writelines(f"- {line}\n" for line in items)


FORMATS = {"table": write_table, "json": write_json, "csv": write_csv, "markdown": write_markdown}
