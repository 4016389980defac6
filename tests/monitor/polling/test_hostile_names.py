"""Hostile names of resources: each series keeps its own resource, whatever the name contains."""

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as samples_of

from collectors.base import ACCOUNT, Resource
from monitor.alerting.inhibit import inhibited
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

PIECES = ["%2F", "$(x)", "<b>", "{x}", "é日", "\ud800", "=,", "account", *"/\\\"'`\n\t\0 -"]
PARTS = st.sampled_from(PIECES) | st.text(min_size=1, max_size=3)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("".join)
LONG = st.sampled_from(["x" * 1000, "".join(PIECES) * 20])
PATHS = st.lists(NAMES | LONG, min_size=1, max_size=3).map(tuple)
RESOURCES = st.builds(
    lambda path, named: Resource("thing", path, ("same",) * len(path) if named else ()).utf8_safe,
    PATHS,
    st.booleans(),
)


def key(resource: Resource, signal: str = "kinesis.stream_write_bytes") -> Key:
    service, name = signal.split(".")
    return Key("123456789012", "eu-west-1", service, name, resource)


@given(st.lists(RESOURCES, min_size=1, max_size=4, unique_by=lambda one: (len(one.path), one.path)))
def test_exported_names_are_parsed_unchanged_and_no_sample_is_there_twice(resources: list[Resource]) -> None:
    same_depth = [one for one in resources if len(one.path) == len(resources[0].path)]
    fleet = Fleet()
    for one in same_depth:
        series = add(fleet, key(one))
        fleet.utilization[series.slot] = np.float32(0.5)
    exposition = Exposition(fleet)
    asyncio.run(exposition.publish({}))
    found = [
        sample.labels
        for family in samples_of(text(exposition))
        for sample in family.samples
        if sample.name == "headroom_utilization_ratio"
    ]
    assert sorted(map(repr, found)) == sorted(repr(exported_labels(key(one).labels)) for one in same_depth)
    assert len({repr(sorted(one.items())) for one in found}) == len(same_depth)


# Signals with the same command differ in nothing that a shell sees.
WITH_COMMANDS = [*{one.command.run: one for one in SIGNALS.values() if one.command}.values()]


def command_words(signal: Signal, path: Sequence[str]) -> list[str]:
    """Return what a shell makes of the command that raises a signal's limit."""
    series_settings = replace(SETTINGS, signal=signal, limit=Limit(1e6, LimitSource.API, 0))
    resource_key = key(resource_for(signal, path), signal.id)
    series = Series(key=resource_key, slot=0, settings=series_settings, unobservable=None)
    return shlex.split(increase_command(signal, series, 0.99, saturated=True) or "")


@given(path=st.lists(NAMES | LONG, min_size=2, max_size=2))
def test_a_shell_splits_every_command_as_intended(path: list[str]) -> None:
    parent, child = Resource("thing", tuple(path)).utf8_safe.path
    names = {"PARENT": parent, "CHILD": child}
    for signal in WITH_COMMANDS:
        meant = command_words(signal, tuple(names))
        assert command_words(signal, (parent, child)) == [
            re.sub("PARENT|CHILD", lambda found: names[found[0]], word) for word in meant
        ], signal.id
        assert not names.keys() & {*meant}, signal.id  # `--name -x` would be two options


SMALL = st.lists(st.sampled_from(["a", "b", "a/b", "account", "/"]), max_size=3).map(tuple)
KINESIS = [one.id for one in SIGNALS.values() if one.service in ("kinesis", "lambda") and one.inhibited_by]


def alert(signal: str, path: tuple[str, ...], utilization: float) -> Notice:
    """Return the notice of a saturated resource with this path."""
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


@given(st.lists(st.tuples(st.sampled_from(KINESIS), SMALL, st.sampled_from([0.3, 0.95])), max_size=8))
def test_an_alert_inhibits_only_alerts_of_parents_and_parts_of_its_resource(
    firing: list[tuple[str, tuple[str, ...], float]],
) -> None:
    notices = {one.alert: one for one in (alert(*arguments) for arguments in firing)}
    for followed, cause in inhibited(notices.values(), REGISTRY).items():
        first, second = (resource_of(notices[one]).path for one in (followed, cause))
        shorter = min(len(first), len(second))
        assert first[:shorter] == second[:shorter]


@given(RESOURCES)
def test_a_journal_returns_the_resource_of_an_alert_unchanged(resource: Resource) -> None:
    notified = alert("kinesis.stream_write_bytes", (), 0.9)
    notified = msgspec.structs.replace(notified, subject=resource, labels=key(resource).labels)
    kept = msgspec.json.decode(msgspec.json.encode(notified), type=Notice)
    assert kept == notified and key_of(kept).id == key(resource).id
    assert resource_of(kept).names == resource.names


@given(RESOURCES)
def test_links_hold_names_as_one_part_of_a_url(resource: Resource) -> None:
    links = Links(
        headroom="https://h.example", grafana="https://g.example/d/{parent}?a={resource}&b={resource_id}"
    )
    for name, url in links.for_series(key(resource), REGISTRY).items():
        assert url.isascii() and url.isprintable() and not set(url) & set(" \"'<>`{}"), name
    before, _, rest = links.for_series(key(resource), REGISTRY)["grafana"].partition("?")
    assert before.count("/") == 4 and rest.count("&") == 1
