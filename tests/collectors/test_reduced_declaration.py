"""A collector of some signals: without the calls, kinds and metrics that only the others need."""

import pytest

from collectors.base import Collector
from collectors.declaration_file import parse_declaration
from collectors.declared import collector_of
from tests.collectors.declared_cases import TABLES, Case, read_cases, run_case
from tests.registries import REGISTRY

TABLE = """
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
    """Return the collector of the declared table, reduced to these signals."""
    return collector_of(parse_declaration(TABLE.encode(), "demo.yaml")).of_signals({*signals})


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
    found = collector(*signals.split())
    assert found.signals == {*signals.split()}
    assert " ".join(one.partition(":")[2] for one in found.iam_actions) == actions
    assert " ".join(metric.name for metric in found.metrics) == metrics


def test_a_collector_reduced_to_all_its_signals_is_unchanged() -> None:
    for one in REGISTRY.collectors:
        assert one.of_signals(REGISTRY.services[one.service].signals) is one


@pytest.mark.parametrize("case", [case for case in read_cases(TABLES) if case.service == "dynamodb"], ids=str)
async def test_a_collector_of_one_signal_yields_the_same_series_of_it(case: Case) -> None:
    (whole,) = [one for one in REGISTRY.collectors if one.service == case.service]
    for signal in whole.signals:
        series, _ = await run_case(case, whole.of_signals({signal}))
        assert series == {
            name: one for name, one in (await run_case(case, whole))[0].items() if name.split()[0] == signal
        }
