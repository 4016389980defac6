"""Keys: the identity of a series, and the name that is no part of it."""

from hypothesis import example, given
from hypothesis import strategies as st

from collectors.base import ACCOUNT, Resource
from monitor.fleet.key import Key

IDS = st.text(min_size=1, max_size=8) | st.sampled_from(["account", "a/b", "a%2Fb", "a\0b", "\\0", "", "/"])
PATHS = st.lists(IDS, max_size=3).map(tuple)


def key(*path: str, names: tuple[str, ...] = ()) -> Key:
    return Key("123456789012", "eu-west-1", "kinesis", "rate", Resource("thing", path, names))


@example(("a\0b",), ("a", "b"))
@example(("a\\0b",), ("a\0b",))
@given(PATHS, PATHS)
def test_different_paths_have_different_ids(first: tuple[str, ...], second: tuple[str, ...]) -> None:
    are_equal = first == second
    assert (key(*first).id == key(*second).id) is are_equal
    assert (key(*first) == key(*second)) is are_equal


@given(PATHS, PATHS)
def test_different_resources_of_a_kind_have_different_ids(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    if len(first) == len(second) and first != second:
        assert key(*first).subject.id != key(*second).subject.id


@given(st.lists(IDS, min_size=1, max_size=3).map(tuple), st.lists(IDS, min_size=1, max_size=3).map(tuple))
def test_different_resources_of_a_kind_have_different_labels_whatever_their_names(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    if len(first) == len(second) and first != second:
        same_names = ("orders",) * len(first)
        assert key(*first).labels != key(*second).labels
        assert key(*first, names=same_names).labels != key(*second, names=same_names).labels
        assert key(*first, names=same_names).labels != key(*second).labels


def test_the_name_of_a_resource_is_no_part_of_its_identity() -> None:
    old_name, new_name = key("a1b2", names=("orders",)), key("a1b2", names=("orders-v2",))
    assert old_name == new_name and hash(old_name) == hash(new_name) and old_name.id == new_name.id
    assert (old_name.resource, new_name.resource) == ("orders", "orders-v2")
    assert old_name.labels["resource_id"] == "a1b2"


def test_a_series_has_the_label_resource_id_only_if_id_and_name_differ() -> None:
    assert "resource_id" not in key("logs", "2026/11/").labels
    assert key("logs", "2026/11/").resource == "logs/2026/11/"
    assert key("we/b", "prod").labels["resource_id"] == "we%2Fb/prod"


def test_the_whole_account_differs_from_a_resource_named_account() -> None:
    of_account, of_resource = Key("1", "r", "s", "a", ACCOUNT), Key("1", "r", "s", "a", "account")
    assert of_account != of_resource and of_account.id != of_resource.id
    assert (of_account.resource, of_account.display_name) == ("", "whole account")
    assert (of_resource.resource, of_resource.display_name) == ("account", "account")
    assert of_account.is_of_account and not of_resource.is_of_account


def test_the_id_of_a_key_is_the_same_in_all_versions_of_headroom() -> None:
    stream = Key("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", "clicks")
    assert stream.id == "832b69d87f70c497"


def test_the_name_of_a_part_begins_with_the_name_of_its_parent() -> None:
    api = Resource("api", ("a1b2",), ("orders",))
    method = api.child("stage", "prod").child("method", "GET /pets")
    assert method == Resource("method", ("a1b2", "prod", "GET /pets"))
    assert (method.display_name, method.id) == ("orders/prod/GET /pets", "a1b2/prod/GET /pets")
    assert [*method.ancestor_paths] == [(), ("a1b2",), ("a1b2", "prod")]
    assert Resource("stream", ("s",)).child("shard", "0").names == ()
    assert Resource("plan", ("p",)).child("key", "k", "gold").display_name == "p/gold"
