"""A collector of some signals lacks the calls, kinds and metrics that only other signals need."""

import pytest

from collectors.base import Collector
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import TABLES, Case, read_cases, run_case
from tests.registries import REGISTRY

DECLARATION = """
service: demo
namespace: AWS/DynamoDB
metrics:
  Reads: {stat: Sum}
  IndexReads: {stat: Sum, dimensions: {TableName: "{table}", GlobalSecondaryIndexName: "{index}"}}
resources:
  account:
    calls:
      - {call: dynamodb.DescribeLimits, facts: {account_reads: AccountMaxReadCapacityUnits}}
  table:
    list: {call: dynamodb.ListTables, items: TableNames}
    calls:
      - call: dynamodb.DescribeTable
        params: {TableName: "{table}"}
        facts:
          reads: Table.ProvisionedThroughput.ReadCapacityUnits
          indexes: Table.GlobalSecondaryIndexes
      - call: dynamodb.DescribeContinuousBackups
        params: {TableName: "{table}"}
        facts: {backups: ContinuousBackupsDescription.ContinuousBackupsStatus}
    values: {twice: reads * 2}
    dimensions: {TableName: "{table}"}
  index:
    parent: table
    list: {fact: indexes}
    id: IndexName
  backup:
    list: {call: dynamodb.ListBackups, items: BackupSummaries}
    id: BackupArn
signals:
  tables: {usage: count(table)}
  reads: {resource: table, usage: rate(Reads), limit: twice}
  share: {resource: table, usage: rate(Reads), limit: account_reads}
  index_reads: {resource: index, usage: rate(IndexReads), limit: table.reads}
  indexes: {resource: table, usage: count(index)}
  backups: {usage: count(backup)}
  protected: {resource: table, when: backups == 'ENABLED', usage: 1}
"""


def collector(*signals: str) -> Collector:
    """Return the collector of DECLARATION, reduced to these signals."""
    return collector_of(parse_declaration(DECLARATION.encode(), "demo.yaml")).of_signals({*signals})


@pytest.mark.parametrize(
    ("signals", "actions", "metrics"),
    [
        ("tables", "ListTables", ""),
        ("reads", "DescribeTable ListTables", "Reads"),
        ("share", "DescribeLimits ListTables", "Reads"),
        ("index_reads", "DescribeTable ListTables", "IndexReads"),
        ("indexes", "DescribeTable ListTables", ""),
        ("backups", "ListBackups", ""),
        ("protected tables", "DescribeContinuousBackups ListTables", ""),
        ("", "", ""),
    ],
)
def test_a_reduced_collector_has_only_the_actions_and_metrics_of_its_signals(
    signals: str, actions: str, metrics: str
) -> None:
    reduced_collector = collector(*signals.split())
    assert reduced_collector.signals == {*signals.split()}
    assert " ".join(action.partition(":")[2] for action in reduced_collector.iam_actions) == actions
    assert " ".join(metric.name for metric in reduced_collector.metrics) == metrics


def test_a_collector_reduced_to_all_its_signals_is_unchanged() -> None:
    for registered in REGISTRY.collectors:
        assert registered.of_signals(REGISTRY.services[registered.service].signals) is registered


@pytest.mark.parametrize("case", [case for case in read_cases(TABLES) if case.service == "dynamodb"], ids=str)
async def test_a_collector_of_one_signal_yields_the_series_of_the_full_collector(case: Case) -> None:
    (full_collector,) = REGISTRY.collectors_of([case.service])
    all_series, _ = await run_case(case, full_collector)
    for signal in full_collector.signals:
        series, _ = await run_case(case, full_collector.of_signals({signal}))
        assert series == {name: fields for name, fields in all_series.items() if name.split()[0] == signal}
