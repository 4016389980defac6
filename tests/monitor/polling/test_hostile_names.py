"""Hostile names of resources: no name changes which resource a series, alert or command is about."""

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_families

from collectors.base import ACCOUNT, Resource
from monitor.alerting.inhibit import inhibiting_alerts
from monitor.alerting.links import Links
from monitor.alerting.notice_builder import key_of
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.lib.label_names import exported_labels
from monitor.notifiers.notice import Notice, Severity, resource_of
from monitor.render.commands import increase_command
from rules.limits import Limit, LimitSource
from rules.signals import Signal
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import SETTINGS, add, text
from tests.registries import REGISTRY, SIGNALS
from tests.resources import resource_for

HOSTILE_PARTS = ["%2F", "$(x)", "<b>", "{x}", "é日", "\ud800", "=,", "account", *"/\\\"'`\n\t\0 -"]
NAME_PARTS = st.sampled_from(HOSTILE_PARTS) | st.text(min_size=1, max_size=3)
NAMES = st.lists(NAME_PARTS, min_size=1, max_size=6).map("".join)
LONG_NAMES = st.sampled_from(["x" * 1000, "".join(HOSTILE_PARTS) * 20])
PATHS = st.lists(NAMES | LONG_NAMES, min_size=1, max_size=3).map(tuple)
RESOURCES = st.builds(
    lambda path, has_names: Resource("thing", path, ("same",) * len(path) if has_names else ()).utf8_safe,
    PATHS,
    st.booleans(),
)


def key(resource: Resource, signal: str = "kinesis.stream_write_bytes") -> Key:
    service, name = signal.split(".")
    return Key("123456789012", "eu-west-1", service, name, resource)


@given(
    st.lists(
        RESOURCES, min_size=1, max_size=4, unique_by=lambda resource: (len(resource.path), resource.path)
    )
)
def test_exported_names_are_parsed_unchanged_and_no_sample_is_repeated(resources: list[Resource]) -> None:
    same_depth = [resource for resource in resources if len(resource.path) == len(resources[0].path)]
    fleet = Fleet()
    for resource in same_depth:
        series = add(fleet, key(resource))
        fleet.utilization[series.slot] = np.float32(0.5)
    exposition = Exposition(fleet)
    asyncio.run(exposition.publish({}))
    labels = [
        sample.labels
        for family in parse_families(text(exposition))
        for sample in family.samples
        if sample.name == "headroom_utilization_ratio"
    ]
    expected = [exported_labels(key(resource).labels) for resource in same_depth]
    assert sorted(map(repr, labels)) == sorted(map(repr, expected))
    assert len({repr(sorted(sample_labels.items())) for sample_labels in labels}) == len(same_depth)


# One signal for each different command: other signals with the same command would be tested the same way.
SIGNALS_WITH_COMMANDS = [
    *{signal.command.run: signal for signal in SIGNALS.values() if signal.command}.values()
]


def command_words(signal: Signal, path: Sequence[str]) -> list[str]:
    """Return the command that raises a signal's limit, split into words as a shell does it."""
    series_settings = replace(SETTINGS, signal=signal, limit=Limit(1e6, LimitSource.API, 0))
    resource_key = key(resource_for(signal, path), signal.id)
    series = Series(key=resource_key, slot=0, settings=series_settings, unobservable=None)
    return shlex.split(increase_command(signal, series, 0.99, saturated=True) or "")


@given(path=st.lists(NAMES | LONG_NAMES, min_size=2, max_size=2))
def test_a_shell_splits_every_command_into_the_same_words_whatever_the_names(path: list[str]) -> None:
    parent, child = Resource("thing", tuple(path)).utf8_safe.path
    names = {"PARENT": parent, "CHILD": child}
    for signal in SIGNALS_WITH_COMMANDS:
        expected = command_words(signal, tuple(names))
        assert command_words(signal, (parent, child)) == [
            re.sub("PARENT|CHILD", lambda match: names[match[0]], word) for word in expected
        ], signal.id
        # No name is a word of its own: the `-x` in `--name -x` would be an option.
        assert not names.keys() & {*expected}, signal.id


SHORT_PATHS = st.lists(st.sampled_from(["a", "b", "a/b", "account", "/"]), max_size=3).map(tuple)
INHIBITED_SIGNAL_IDS = [
    signal.id
    for signal in SIGNALS.values()
    if signal.service in ("kinesis", "lambda") and signal.inhibited_by
]


def critical_notice(signal: str, path: tuple[str, ...], utilization: float) -> Notice:
    """Return the notice of a critical alert on the resource with this path."""
    service, name = signal.split(".")
    resource = Resource("thing", path) if path else ACCOUNT
    labels = key(resource, signal).labels | {"severity": "critical"}
    return notice(
        f"{signal} {path!r}",
        Severity.CRITICAL,
        labels=labels,
        subject=resource,
        utilization=utilization,
        service=service,
        signal=name,
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(INHIBITED_SIGNAL_IDS), SHORT_PATHS, st.sampled_from([0.3, 0.95])),
        max_size=8,
    )
)
def test_an_alert_inhibits_only_alerts_on_its_resource_its_parents_and_its_parts(
    firing: list[tuple[str, tuple[str, ...], float]],
) -> None:
    notices = {item.alert: item for item in (critical_notice(*arguments) for arguments in firing)}
    for inhibited_id, cause_id in inhibiting_alerts(notices.values(), REGISTRY).items():
        path, cause_path = (resource_of(notices[alert_id]).path for alert_id in (inhibited_id, cause_id))
        shared_depth = min(len(path), len(cause_path))
        assert path[:shared_depth] == cause_path[:shared_depth]


@given(RESOURCES)
def test_a_journal_returns_the_resource_of_an_alert_unchanged(resource: Resource) -> None:
    notice_of_account = critical_notice("kinesis.stream_write_bytes", (), 0.9)
    original = msgspec.structs.replace(notice_of_account, subject=resource, labels=key(resource).labels)
    decoded = msgspec.json.decode(msgspec.json.encode(original), type=Notice)
    assert decoded == original and key_of(decoded).id == key(resource).id
    assert resource_of(decoded).names == resource.names


@given(RESOURCES)
def test_a_name_is_one_path_segment_or_one_parameter_of_a_link(resource: Resource) -> None:
    links = Links(
        headroom="https://h.example", grafana="https://g.example/d/{parent}?a={resource}&b={resource_id}"
    )
    for name, url in links.for_series(key(resource), REGISTRY).items():
        assert url.isascii() and url.isprintable() and not set(url) & set(" \"'<>`{}"), name
    url_path, _, url_query = links.for_series(key(resource), REGISTRY)["grafana"].partition("?")
    assert url_path.count("/") == 4 and url_query.count("&") == 1
