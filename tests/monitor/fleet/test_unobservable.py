"""Series that are unobservable, grouped by the reason."""

from collectors.base import Unobservable
from monitor.fleet.unobservable import group_unobservable
from tests.monitor.fleet.fleets import key


def test_series_are_grouped_by_scope_reason_and_command_the_largest_group_first() -> None:
    series = [
        ("sqs", key("a"), Unobservable("bounded only")),
        ("s3", key("b"), Unobservable("metrics are off", "aws enable b")),
        ("s3", key("c"), Unobservable("metrics are off", "aws enable c")),
        ("s3", key("d"), Unobservable("metrics are off", "aws enable b")),
        ("kinesis", key("e"), Unobservable("bounded only")),
    ]
    groups = group_unobservable(series)
    assert [(group.scope, group.reason, group.series_count) for group in groups] == [
        ("s3", "metrics are off", 3),
        ("kinesis", "bounded only", 1),
        ("sqs", "bounded only", 1),
    ]
    assert groups[0].keys_by_command == {"aws enable b": [key("b"), key("d")], "aws enable c": [key("c")]}
    assert list(groups[1].members) == [(key("e"), "")]
