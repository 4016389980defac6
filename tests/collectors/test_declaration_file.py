"""Declarations that cannot be used: every problem is reported with its file, line and the nearest name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collectors.botocore_problems import botocore_problems
from collectors.declaration_error import DeclarationError
from collectors.declaration_file import Check, parse_declaration, read_declaration

GOOD = """
service: demo
namespace: AWS/DynamoDB
metrics:
  Reads: {stat: Sum, absent: zero}
  Writes:
    name: ConsumedWriteCapacityUnits
    stat: Sum
    dimensions: {TableName: "{table}"}
tables:
  caps: {small: 1, large: 10}
resources:
  account:
    calls:
      - call: dynamodb.DescribeLimits
        facts: {account_reads: AccountMaxReadCapacityUnits}
    values:
      half: account_reads / 2
  table:
    list: {call: dynamodb.ListTables, params: {Limit: 100}, items: TableNames}
    calls:
      - call: dynamodb.DescribeTable
        params: {TableName: "{table}"}
        when: half > 0
        facts:
          reads: Table.ProvisionedThroughput.ReadCapacityUnits
          indexes: Table.GlobalSecondaryIndexes
          made: Table.CreationDateTime
    values:
      twice: reads * 2
    dimensions: {TableName: "{table}"}
    created: made
    arn: arn:{partition}:dynamodb:{region}:{account_id}:table/{table}
  index:
    parent: table
    list: {fact: indexes}
    id: IndexName
    facts:
      index_reads: ProvisionedThroughput.ReadCapacityUnits
  backup:
    list: {call: dynamodb.ListBackups, items: BackupSummaries}
    id: BackupArn
    facts:
      table_name: TableName
    refers: {table: table_name}
signals:
  reads:
    resource: table
    when: reads > 0
    usage: rate(Reads)
    limit: reads
    throttled:
      writes: rate(Writes)
  backups:
    resource: table
    usage: count(backup)
  indexes:
    usage: sum(one.index_reads for one in index if one.index_reads)
    bound:
      when: half
      reason: some are elsewhere
      enable: aws enable --region={region}
"""


@dataclass(frozen=True, slots=True)
class Change:
    """A change to the good declaration, and the problem that must be reported for it.

    line: a text that is only in the line of the problem.
    """

    old: str
    new: str
    line: str
    problem: str

    def __str__(self) -> str:
        return self.problem


def problems(text: str | bytes, check: Check | None = None) -> list[str]:
    """Return the problems of a declaration; an empty list for a good one."""
    try:
        parse_declaration(text if isinstance(text, bytes) else text.encode(), "demo.yaml", check)
    except DeclarationError as error:
        return error.problems
    return []


def good_declaration_with(old: str, new: str) -> str:
    """Return the good declaration with one part replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def line_prefix(text: str, part: str) -> str:
    """Return the beginning of problems in the only line with `part`: the file and the number of the line."""
    lines = [number for number, line in enumerate(text.split("\n"), 1) if part in line]
    assert len(lines) == 1, (part, lines)
    return f"demo.yaml:{lines[0]}: "


def test_the_good_declaration_has_no_problem() -> None:
    assert problems(GOOD, botocore_problems) == []


def read_changes() -> Iterator[list[Change]]:
    """Yield the changes in each section of `bad_declarations.txt`."""
    for section in (Path(__file__).parent / "bad_declarations.txt").read_text().split("\n## ")[1:]:
        fields = re.findall(r"^ *(?:change|to|at|say) ?(.*)$", section, re.MULTILINE)
        texts = (text.replace("\\n", "\n") for text in fields)
        yield [Change(*change) for change in groups_of_four(texts)]


def groups_of_four(texts: Iterator[str]) -> Iterator[tuple[str, str, str, str]]:
    """Group texts by four."""
    return zip(texts, texts, texts, texts, strict=True)


# Changes whose problems are found without botocore's models, and changes that need the models.
WITHOUT_MODELS, WITH_MODELS = read_changes()


@pytest.mark.parametrize("change", WITHOUT_MODELS, ids=str)
def test_a_problem_is_reported_with_its_line_and_the_nearest_name(change: Change) -> None:
    text = good_declaration_with(change.old, change.new)
    found, prefix = problems(text), line_prefix(text, change.line)
    assert any(problem.startswith(prefix) and change.problem in problem for problem in found), found


@pytest.mark.parametrize("change", WITH_MODELS, ids=str)
def test_a_name_unknown_to_botocore_is_reported_with_its_line_and_the_nearest_name(change: Change) -> None:
    text = good_declaration_with(change.old, change.new)
    (problem,) = problems(text, botocore_problems)
    assert problem.startswith(line_prefix(text, change.line))
    assert change.problem in problem


def test_a_metric_that_a_signal_uses_needs_dimensions_of_its_resource() -> None:
    text = good_declaration_with('    dimensions: {TableName: "{table}"}\n    created', "    created")
    assert problems(text) == [
        "demo.yaml:46: signals.reads: expected dimensions of table, or of the metric Reads"
    ]


def test_a_metric_that_a_signal_sums_over_parts_needs_dimensions_of_the_part() -> None:
    text = good_declaration_with(
        "sum(one.index_reads for one in index if one.index_reads)", "sum(one.Reads for one in index)"
    )
    assert problems(text) == [
        "demo.yaml:57: signals.indexes: expected dimensions of index, or of the metric Reads"
    ]


def test_an_unknown_value_in_a_list_of_an_enumeration_is_reported() -> None:
    text = """
service: demo
namespace: AWS/SQS
resources:
  queue:
    list: {call: sqs.ListQueues, items: QueueUrls}
    calls:
      - call: sqs.GetQueueAttributes
        params:
          QueueUrl: "{queue}"
          AttributeNames:
            - DelaySeconds
            - DelaySecond
            - "{queue}"
        facts: {delay: Attributes.DelaySeconds}
signals:
  delay: {resource: queue, usage: number(delay)}
"""
    assert problems(text, botocore_problems) == [
        "demo.yaml:13: resources.queue.calls.0.params.AttributeNames.1: "
        "no value DelaySecond; did you mean DelaySeconds?"
    ]


def test_a_missing_member_of_a_parameter_is_found_at_any_depth() -> None:
    text = good_declaration_with(
        "dynamodb.DescribeLimits\n        facts: {account_reads: AccountMaxReadCapacityUnits}",
        "dynamodb.BatchGetItem\n        params: {RequestItems: {orders: {ConsistentRead: true}}}\n"
        "        facts: {account_reads: length(ConsumedCapacity)}",
    )
    assert problems(text, botocore_problems) == [
        "demo.yaml:16: resources.account.calls.0.params.RequestItems.orders: missing the parameter Keys"
    ]


def test_facts_of_paginated_responses_need_items() -> None:
    old = "DescribeLimits\n        facts: {account_reads: AccountMaxReadCapacityUnits}"
    new = "ListTables\n        facts: {account_reads: length(TableNames)}"
    text = good_declaration_with(old, new)
    assert problems(text, botocore_problems) == [
        "demo.yaml:16: resources.account.calls.0.facts.account_reads: "
        "expected the key items in the call, because AWS returns its list in pages"
    ]
    with_items = good_declaration_with(
        old, "ListTables\n        items: TableNames\n        facts: {account_reads: length(@)}"
    )
    assert problems(with_items, botocore_problems) == []


def test_all_problems_are_reported_at_once() -> None:
    text = (
        good_declaration_with("absent: zero", "absnt: zero")
        .replace("limit: reads", "limit: reads +")
        .replace("    parent: table\n", "    parnt: table\n")
    )
    assert [problem.split(": ")[1] for problem in problems(text)] == [
        "metrics.Reads.absnt",
        "resources.index.parnt",
        "signals.reads.limit",
    ]
    text = good_declaration_with("limit: reads", "limit: red").replace("twice: reads", "twice: red")
    places = [problem.split(": ")[1] for problem in problems(text)]
    assert places == ["resources.table.values.twice", "signals.reads.limit"]
    assert problems(text.replace("id: BackupArn", "id: Arn"), botocore_problems) == problems(text)
    wrong_paths = good_declaration_with("id: BackupArn", "id: Arn").replace("id: IndexName", "id: Name")
    assert len(problems(wrong_paths, botocore_problems)) == 2


def test_the_order_of_problems_does_not_depend_on_hashes() -> None:
    text = good_declaration_with("limit: reads", "limit: zzz + yyy + xxx + www")
    names = [problem.rpartition(" ")[2] for problem in problems(text)]
    assert names == ["www", "xxx", "yyy", "zzz"]


def test_only_the_first_problems_are_shown() -> None:
    keys = "".join(f"unknown{number}: 1\n" for number in range(200))
    found = problems(GOOD + keys)
    assert len(found) == 51
    assert found[-1] == "demo.yaml: 150 more problems"
    repeated_key = "".join("again: 1\n" for _ in range(200))
    assert len(problems(GOOD + repeated_key)) == 51


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "demo.yaml:1: file: expected a mapping of service, scope"),
        (b"# nothing\n", "demo.yaml:1: file: expected a mapping of service, scope"),
        (b"- a\n- b\n", "demo.yaml:1: file: expected a mapping of service, scope"),
        (b"text", "demo.yaml:1: file: expected a mapping of service, scope"),
        (b"a: [\n", "demo.yaml:2: file: did not find expected node content"),
        (b"a: b: c\n", "demo.yaml:1: file: mapping values are not allowed in this context (line 1"),
        (
            b"service: demo\nnamespace: \xff\n",
            "demo.yaml:2: file: expected UTF-8, found the byte 0xff (line 2)",
        ),
        (b"service: demo\n\x00\n", "demo.yaml:2: file: "),
        (b"service: demo\n---\nservice: demo\n", "demo.yaml:2: file: expected one document, found another"),
        (b"a: " + b"[" * 40 + b"]" * 40, "demo.yaml:1: file: nested too deeply"),
        (b"x" * 2 * 1024**2, "demo.yaml:1: file: expected at most 1 MiB"),
    ],
    ids=[
        *("empty", "comment alone", "list", "text", "unclosed list", "two colons in a line", "invalid UTF-8"),
        *("NUL byte", "two documents", "nested too deeply", "too large"),
    ],
)
def test_a_file_that_is_no_declaration_is_refused(content: bytes, expected: str) -> None:
    found = problems(content)
    assert any(problem.startswith(expected) for problem in found), found


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("service: demo", "service: &name demo\ncopy: *name", "copy", "copy: aliases are not supported"),
        ("service: demo", "service: !!str demo", "!!str", "service: tags are not supported"),
        ("namespace: AWS/DynamoDB", "namespace: A\nnamespace: AWS/B", "AWS/B", "namespace: given twice"),
        (
            "    limit: reads\n",
            "    limit: reads\n    limit: twice\n",
            "limit: twice",
            "signals.reads.limit: given twice",
        ),
        ("  caps: {", "  ? [a]\n  : b\n  caps: {", "tables:", "tables: expected text as a key"),
    ],
)
def test_yaml_that_is_not_plain_is_reported_with_its_line(
    old: str, new: str, line: str, expected: str
) -> None:
    text = good_declaration_with(old, new)
    found, prefix = problems(text), line_prefix(text, line)
    assert any(problem.startswith(prefix) and expected in problem for problem in found), found


def test_more_than_100_kinds_of_resources_are_refused() -> None:
    chain = "".join(
        f"  k{number}: {{parent: k{number - 1}, list: {{fact: f{number - 1}}}, facts: {{f{number}: x}}}}\n"
        for number in range(1, 5000)
    )
    first = "  k0: {list: {call: sqs.ListQueues, items: QueueUrls}, facts: {f0: x}}\n"
    text = f"service: demo\nnamespace: A\nresources:\n{first}{chain}signals:\n  a: {{usage: count(k4999)}}\n"
    assert problems(text) == ["demo.yaml:3: resources: expected at most 100 kinds, found 5,000"]


def test_a_declaration_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text(GOOD)
    assert read_declaration(path).service == "demo"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())  # a byte order mark
    assert read_declaration(path).service == "demo"
    path.write_text("#" * 2 * 1024**2)
    with pytest.raises(DeclarationError, match=r"demo\.yaml:1: file: expected at most 1 MiB"):
        read_declaration(path)
