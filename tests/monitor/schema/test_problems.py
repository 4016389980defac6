"""The problems of a wrong configuration file, line by line; none contains a secret."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.config import Config
from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError, duplicate_values, problem_lines, shown_value
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

ROLE = "arn:aws:iam::123456789012:role/headroom"
SECRET = "hunter2-hunter2"
SERVICES = ", ".join(REGISTRY.service_names)


def read(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> Config:
    return parse_config(text.encode(), "headroom.yaml", ConfigContext(environ or {}, folder, REGISTRY))


def problems(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> list[str]:
    """Return the problems of a configuration."""
    with pytest.raises(ConfigError) as failure:
        read(text, environ, folder)
    assert str(failure.value) == "\n".join(failure.value.problems)
    return [line.removeprefix("headroom.yaml: ") for line in failure.value.problems]


# The text of a configuration, and its problems.
WRONG_FILES = [
    # unknown keys and shapes
    ("zzzz: x", ["zzzz: unknown key"]),
    ("acounts: []", ["acounts: unknown key; did you mean accounts?"]),
    ("accounts: [{role_arm: x}]", ["accounts[0].role_arm: unknown key; did you mean role_arn?"]),
    ("alerts: [{fore: 5m}]", ["alerts[0].fore: unknown key; did you mean for?"]),
    ("alerts: [{pending_for: 5m}]", ["alerts[0].pending_for: unknown key; did you mean keep_firing_for?"]),
    ("band: {hihg: 1}", ["band.hihg: unknown key; did you mean high?"]),
    ('"a b\\n": 1', ["['a b\\n']: unknown key"]),
    ("- a", ["expected a mapping, found a list"]),
    ("just words", ["expected a mapping, found text"]),
    ("limits: {limit: 1}", ["limits: expected a list, found a mapping"]),
    ("accounts: [production]", ["accounts[0]: expected a mapping, found text"]),
    ("accounts: [~]", ["accounts[0]: expected a mapping, found nothing"]),
    ("accounts: 3", ["accounts: expected a list, found a number"]),
    ("band: true", ["band: expected a mapping, found true"]),
    ("tags: [[a]]", ["tags[0]: expected text, found a list"]),
    ("tags: ['']", ["tags[0]: expected text, found ''"]),
    ("tags: [1.5]", ["tags[0]: expected text, found 1.5"]),
    # numbers and bands
    ("band: {low: forty}", ["band.low: expected a number, found 'forty'"]),
    ("band: {low: '0.4'}", ["band.low: expected a number, found '0.4'"]),
    ("band: {low: true}", ["band.low: expected a number, found true"]),
    ("band: {high: 70}", ["band.high: expected at most 1, found 70"]),
    ("band: {low: -0.1}", ["band.low: expected at least 0, found -0.1"]),
    ("band: {low: 0.8}", ["band: expected low < high < near, found 0.8, 0.7, 0.9"]),
    (
        "bands: [{resource: a, low: 0.1}, {resource: b, near: 0.7}]",
        ["bands[1]: expected low < high < near, found 0.4, 0.7, 0.7"],
    ),
    (
        "bands: [{signal: kinesis.retention_iterator_age, high: 0.5}]",
        ["bands[0]: expected low < high < near, found 0, 0.5, 0.5 for kinesis.retention_iterator_age"],
    ),
    (
        "bands: [{signal: 'retention_*', high: 0.3}]",
        [
            "bands[0].signal: expected the exact name of a signal, as every matching one has its own band, "
            "found retention_*"
        ],
    ),
    ("limits: [{resource: a}]", ["limits[0].limit: missing"]),
    ("limits: [{resource: a, limit: 0}]", ["limits[0].limit: expected more than 0, found 0"]),
    ("limits: [{resource: a, limit: 1e999}]", ["limits[0].limit: expected a finite number, found inf"]),
    ("limits: [{resource: a, limit: many}]", ["limits[0].limit: expected a number, found 'many'"]),
    # selectors
    (
        "exclude: [{}]",
        ["exclude[0]: expected at least one of service, signal, resource, account, region, found none"],
    ),
    (
        "exclude: [{service: kinesys}]",
        [f"exclude[0].service: expected one of {SERVICES}, found 'kinesys'; did you mean kinesis?"],
    ),
    (
        "exclude: [{signal: kinesis.stream_write_byte}]",
        [
            "exclude[0].signal: expected a signal of the catalogue, found 'kinesis.stream_write_byte'; "
            "did you mean kinesis.stream_write_bytes?"
        ],
    ),
    ("exclude: [{region: mars-*}]", ["exclude[0].region: expected an AWS region or global, found 'mars-*'"]),
    # names that exist
    (
        "regions: [eu-wst-1]",
        ["regions[0]: expected an AWS region, found 'eu-wst-1'; did you mean eu-west-1?"],
    ),
    ("regions: eu-west-1", ["regions: expected a list of regions or the word all, found 'eu-west-1'"]),
    ("regions: 7", ["regions: expected a list, found a number"]),
    ("regions: [eu-west-1, eu-west-1]", ["regions: expected each once, found 'eu-west-1' again"]),
    (
        "services: [kinesis, knesis]",
        [f"services[1]: expected one of {SERVICES}, found 'knesis'; did you mean kinesis?"],
    ),
    # accounts
    (
        "accounts: [{role_arn: 'arn:aws:iam::123:role/x'}]",
        [
            "accounts[0].role_arn: expected a role such as arn:aws:iam::123456789012:role/headroom, "
            "found 'arn:aws:iam::123:role/x'"
        ],
    ),
    (
        f"accounts: [{{role_arn: '{ROLE}', name: a}}, {{role_arn: '{ROLE}2', name: a}}]",
        [
            "accounts[1].role_arn: expected an account that differs from that of accounts[0], found the same",
            "accounts[1].name: expected a name that differs from that of accounts[0], found the same",
        ],
    ),
    (
        "accounts: [{name: a}, {name: b}]",
        ["accounts[1].role_arn: expected an account that differs from that of accounts[0], found the same"],
    ),
    (
        f"accounts: [{{name: default, role_arn: '{ROLE}'}}, {{}}]",
        ["accounts[1].name: expected a name that differs from that of accounts[0], found the same"],
    ),
    # tags
    ("tags: [team, team]", ["tags: expected each once, found 'team' again"]),
    (
        "tags: [cost-center, cost_center]",
        ["tags[1]: expected a label of its own, found tag_cost_center, the label of 'cost-center'"],
    ),
    # durations and addresses
    ("interval: soon", ["interval: expected a duration such as 300, 15s, 5m or 1h, found 'soon'"]),
    ("interval: true", ["interval: expected a duration such as 300, 15s, 5m or 1h, found true"]),
    ("interval: -5m", ["interval: expected a duration such as 300, 15s, 5m or 1h, found '-5m'"]),
    ("interval: 5s", ["interval: expected at least 10, found 5"]),
    ("inventory_interval: 2d", ["inventory_interval: expected at most 86400, found 172800"]),
    *(
        (
            f"listen: '{listen}'",
            [f"listen: expected host:port such as 127.0.0.1:4070 or [::1]:4070, found '{listen}'"],
        )
        for listen in (
            "4070",
            ":4070",
            "localhost",
            "::1:4070",
            "[::g]:1",
            "127.0.0.300:1",
            "a:70000",
            "a b:1",
        )
    ),
    # YAML itself; all problems at once
    ("band: {low: 1", ["did not find expected ',' or '}' (line 2, column 1)"]),
    ("interval: 5m\ninterval: 6m", ["interval: given twice (line 2, column 1)"]),
    (
        "interval: 1m\ninterval: 1s\nband: {low: x}\nport: 1",
        [
            "interval: given twice (line 2, column 1)",
            "band.low: expected a number, found 'x'",
            "interval: expected at least 10, found 1",
            "port: unknown key",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG_FILES, ids=[text for text, _ in WRONG_FILES])
def test_a_problem_names_its_place_and_what_was_expected_and_what_was_found(
    text: str, expected: list[str]
) -> None:
    assert problems(text) == expected


def test_a_long_value_is_cut_and_many_problems_are_counted() -> None:
    lines = problems("tags: [" + ", ".join(["1.5"] * 1000) + "]\nlisten: " + "x" * 1000)
    assert len(lines) == 51
    assert lines[-1] == "and 951 more problems"
    (line,) = problems("listen: " + "x" * 1000)
    assert line.endswith("found '" + "x" * 60 + "'...")


# Files with a secret at every place where somebody may put one by mistake.
FILES_WITH_SECRETS = [
    f"accounts: [{{role_arn: '{ROLE}', external_id: '{SECRET}!'}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id: ['{SECRET}']}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id: {{value: '{SECRET}'}}}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_env: '{SECRET}'}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_env: ['{SECRET}']}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_env: WRONG}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: '{SECRET}'}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: ['{SECRET}']}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: wrong}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: binary}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: .}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id_file: \"a\\0b{SECRET}\"}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id: '{SECRET}', external_id_env: RIGHT}}]",
    f"accounts: [{{external_id: '{SECRET}'}}]",
    f"accounts: [{{role_arn: '{ROLE}', externalid: '{SECRET}'}}]",
    f"accounts: [{{role_arn: x, external_id: '{SECRET}'}}]",
    f"accounts: ['external_id: {SECRET}']",
    f"accounts: 'external_id: {SECRET}'",
    f"accounts: [{{role_arn: '{ROLE}', external_id: '{SECRET}', external_id: '{SECRET}'}}]",
    f"accounts: [{{role_arn: '{ROLE}', external_id: !x '{SECRET}'}}]",
    f"accounts:\n- external_id: '{SECRET}",
    f"endpoint_url: htp://user:{SECRET}@host",
    f"endpoint_url: http://:{SECRET}@host",
    f"endpoint_url: http://host:{SECRET}",
    f"endpoint_url: ['{SECRET}']",
]


@pytest.mark.parametrize("text", FILES_WITH_SECRETS)
def test_no_problem_repeats_a_secret(text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(f"{SECRET} has blanks")
    (tmp_path / "binary").write_bytes(SECRET.encode() + b"\xff")
    lines = problems(text, {"WRONG": f"{SECRET} has blanks", "RIGHT": SECRET}, tmp_path)
    assert len(lines) == 1
    assert "hunter" not in lines[0]


def test_a_value_that_an_earlier_entry_has_is_a_problem() -> None:
    duplicates = duplicate_values(("tokens",), "name", ["a", "b", "a", "a"], ("auth",))
    assert problem_lines("", duplicates) == [
        f"tokens[{index}].name: expected a name that differs from that of auth.tokens[0], found the same"
        for index in (2, 3)
    ]


# Random data that looks like a configuration: valid keys at every level, values of every kind.
KEYS = st.sampled_from(
    sorted({"accounts", "name", "role_arn", "limit", "low", "resource", *Config.model_fields})
) | st.text(max_size=5)
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["all", "5m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(st.dictionaries(KEYS, JUNK, max_size=6) | JUNK)
def test_random_data_is_a_configuration_or_causes_only_a_configuration_error(junk: Any) -> None:
    try:
        read(json.dumps(junk))
    except ConfigError as error:
        assert error.problems
        assert all(line.startswith("headroom.yaml: ") and line.isprintable() for line in error.problems)


def test_a_value_of_a_type_that_no_file_contains_is_shown_by_its_type() -> None:
    assert shown_value((SECRET,)) == "a value of type tuple"
