"""The JSON, CSV and Markdown output of `headroom check`."""

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from monitor.api.models import ForecastModel, SeriesDetailModel
from monitor.fleet.reach import Reach
from monitor.report.check_formats import FIELDS
from monitor.report.failed_reads import FailedReads
from monitor.report.report import Report, UnreadQuotas
from tests.monitor.report.test_table import (
    EMPTY,
    STALE,
    STRANGE_NAMES,
    output_of,
    row,
    shown_name,
    unobservable_row,
)

# JSON


def json_of_two_rows() -> dict[str, Any]:
    """Return the JSON of a judged series and of an unobservable series, with a failed read."""
    rows = [row(), unobservable_row("media", "why", "aws s3api")]
    document: dict[str, Any] = json.loads(
        output_of("json", Report(rows, FailedReads(["sentence"], ["others"])))
    )
    return document


def test_json_holds_every_field_unrounded() -> None:
    document = json_of_two_rows()
    assert document["failures"] == ["sentence"]
    assert document["total"] == 2
    assert document["items"][0] == {
        "id": row().key.id,
        "zone": "above",
        "bounded": False,
        "account": "123456789012",
        "region": "eu-west-1",
        "service": "kinesis",
        "signal": "stream_write_bytes",
        "resource": "orders",
        "resource_id": "orders",
        "usage": 3.0 * 2**20,
        "upper_bound": None,
        "limit": 4.0 * 2**20,
        "unit": "bytes/s",
        "utilization": 0.75,
        "saturation": 0.0,
        "source": "api",
        "sampled_at": "2025-02-19T21:20:00Z",
        "unobservable": None,
        "largest": "",
        "forecast": {
            "summary": "",
            "probability": {},
            "reached_at": {},
            "history_days": None,
            "effective_ceiling": None,
        },
    }
    assert document["items"][0].keys() <= SeriesDetailModel.model_fields.keys()


def test_json_says_why_a_series_is_not_observable_and_what_enables_it() -> None:
    unobservable = json_of_two_rows()["items"][1]
    assert unobservable["unobservable"] == {
        "reason": "why",
        "enable_command": "aws s3api",
        "enable_cost": None,
    }
    assert unobservable["sampled_at"] is None


SAMPLED_MINUTE = 1_740_000_000 // 60


def test_forecasts_are_a_column_of_tables_and_numbers_in_json_and_csv() -> None:
    reach = Reach((0.1, 0.4, 0.8, 0.9), tuple(SAMPLED_MINUTE + 60 * hours for hours in (3, 4, 5)), 14.0, 12.5)
    report = Report([replace(row(), reach=reach), row("none")])
    document = json.loads(output_of("json", report))["items"][0]["forecast"]
    assert document["summary"] == "reaches the ceiling in 3-5 h, 80 %"
    assert document["probability"] == {"1h": 0.1, "6h": 0.4, "24h": 0.8, "3d": 0.9}
    assert document["reached_at"] == {
        "0.1": "2025-02-20T00:20:00Z",
        "0.5": "2025-02-20T01:20:00Z",
        "0.9": "2025-02-20T02:20:00Z",
    }
    assert document["effective_ceiling"] == 12.5
    ForecastModel.model_validate(document)
    record = next(csv.DictReader(io.StringIO(output_of("csv", report), newline="")))
    assert (record["probability_24h"], record["reached_from"]) == ("0.8", "2025-02-20T00:20:00Z")
    for name in ("table", "markdown"):
        text = output_of(name, report)
        assert "reaches the ceiling in 3" in text
        assert "forecast" in text
        assert "forecast" not in output_of(name, Report([row()]))


def test_json_preserves_every_name() -> None:
    document = json.loads(
        output_of(
            "json", Report([row(name) for name in STRANGE_NAMES], FailedReads(STRANGE_NAMES, STRANGE_NAMES))
        )
    )
    assert [item["resource"] for item in document["items"]] == STRANGE_NAMES
    assert document["failures"] == STRANGE_NAMES


# CSV


def test_csv_has_a_header_and_one_record_per_series() -> None:
    records = list(csv.DictReader(io.StringIO(output_of("csv", Report([row(), STALE])), newline="")))
    assert [list(record) for record in records] == [list(FIELDS), list(FIELDS)]
    assert records[0]["usage"] == "3145728.0"
    assert records[0]["utilization"] == "0.75"
    assert records[1]["usage"] == ""
    assert output_of("csv", EMPTY) == ",".join(FIELDS) + "\n"


def test_csv_escapes_control_characters_in_names_and_has_an_apostrophe_before_formulas() -> None:
    text = output_of("csv", Report([row(name) for name in STRANGE_NAMES]))
    assert len(text.splitlines()) == 1 + len(STRANGE_NAMES)
    names = [record["resource"] for record in csv.DictReader(io.StringIO(text, newline=""))]
    formulas = {"=cmd()", "+1", "-1", "@sum"}
    assert names == [f"'{name}" if name in formulas else shown_name(name) for name in STRANGE_NAMES]


# Markdown


def test_markdown_has_a_table_of_series_and_a_list_of_failures() -> None:
    report = Report(
        [row(), unobservable_row("media", "not enabled", "aws s3api")],
        FailedReads([], ["ListStreams: no (AccessDenied)"]),
    )
    assert output_of("markdown", report) == (
        "| zone | utilization | usage | limit | source | signal | resource | location | sampled |\n"
        "| --- | ---: | ---: | ---: | --- | --- | --- | --- | --- |\n"
        "| above | 75 % | 3 MiB/s | 4 MiB/s | api | kinesis.stream_write_bytes | orders "
        "| 123456789012/eu-west-1 | 2025-02-19 21:20 |\n"
        "\n"
        "- Unobservable: kinesis.stream_write_bytes of media: not enabled: `aws s3api`\n"
        "- Failed read: ListStreams: no (AccessDenied)\n"
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a|b", r"a\|b"),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", r"two\\nlines"),
        ("\x1b[31m", r"\\x1b\[31m"),
        ("`code`", r"\`code\`"),
        ("*bold*", r"\*bold\*"),
        ("_emphasis_", r"\_emphasis\_"),
        ("snake_case_name", "snake_case_name"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[here](https://example.com)", r"\[here\](https://example.com)"),
        ("注文", "注文"),
    ],
)
def test_markdown_escapes_a_name_so_that_it_is_shown_literally(name: str, written: str) -> None:
    line = output_of("markdown", Report([row(name)])).splitlines()[2]
    assert re.split(r"(?<!\\)\|", line)[7].strip() == written


def test_a_command_in_markdown_may_contain_backticks() -> None:
    output = output_of("markdown", Report([unobservable_row("media", "why", "aws `x` ``y``")]))
    assert "why: ``` aws `x` ``y`` ```\n" in output


# Thousands of failures


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_tables_list_the_first_failures_and_count_the_other_failures(format: str) -> None:
    text = output_of(
        format, Report([row()], FailedReads([], [f"read {number} failed" for number in range(5000)]))
    )
    assert "read 99 failed" in text
    assert "read 100 failed" not in text
    assert "4,900 more lines are left out" in text


def test_json_lists_all_failures() -> None:
    failures = [f"read {number} failed" for number in range(5000)]
    assert (
        json.loads(output_of("json", Report([row()], FailedReads(failures, failures))))["failures"]
        == failures
    )


REPORT_WITH_UNREAD_QUOTAS = Report([row()], unread_quotas=UnreadQuotas(counts=120, lists=1))


@pytest.mark.parametrize("format", ["table", "markdown"])
def test_tables_show_the_number_of_unread_counts_and_how_to_read_them(format: str) -> None:
    assert "120 counts and 1 list of quotas of services in use were not read" in output_of(
        format, REPORT_WITH_UNREAD_QUOTAS
    )
    assert "counts reads them, with at most 1,000 calls" in output_of(format, REPORT_WITH_UNREAD_QUOTAS)
    assert "not read" not in output_of(format, Report([row()]))


def test_json_has_the_number_of_unread_counts() -> None:
    assert json.loads(output_of("json", REPORT_WITH_UNREAD_QUOTAS))["unread_quotas"] == {
        "counts": 120,
        "lists": 1,
    }


@pytest.mark.parametrize(
    ("unread_quotas", "sentence_start"),
    [
        (UnreadQuotas(counts=1), "1 count of services in use was not read; "),
        (UnreadQuotas(lists=3), "3 lists of quotas of services in use were not read; "),
        (UnreadQuotas(), ""),
    ],
)
def test_the_sentence_names_only_unread_counts_and_lists(
    unread_quotas: UnreadQuotas, sentence_start: str
) -> None:
    assert unread_quotas.sentence.startswith(sentence_start)
    assert bool(unread_quotas.sentence) is bool(sentence_start)
