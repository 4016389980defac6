"""Series that are unobservable, grouped by the reason."""

from collectors.base import Unobservable
from monitor.fleet.unobservable import group_unobservable
from tests.monitor.fleet.fleets import key


def test_groups_are_by_scope_and_reason_the_largest_first_with_the_series_of_each_command() -> None:
    found = [
        ("sqs", key("a"), Unobservable("bounded only")),
        ("s3", key("b"), Unobservable("metrics are off", "aws enable b")),
        ("s3", key("c"), Unobservable("metrics are off", "aws enable c")),
        ("s3", key("d"), Unobservable("metrics are off", "aws enable b")),
        ("kinesis", key("e"), Unobservable("bounded only")),
    ]
    groups = group_unobservable(found)
    assert [(one.scope, one.reason, one.series_count) for one in groups] == [
        ("s3", "metrics are off", 3),
        ("kinesis", "bounded only", 1),
        ("sqs", "bounded only", 1),
    ]
    assert groups[0].keys_by_command == {"aws enable b": [key("b"), key("d")], "aws enable c": [key("c")]}
    assert list(groups[1].members) == [(key("e"), "")]
