"""The configuration file: what a right one means, and what a wrong one is told, line by line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import Config, load, parsed
from monitor.config_errors import ConfigError
from monitor.config_types import Sources, known_services
from monitor.selector import Labels
from rules.limits import Band

ROLE = "arn:aws:iam::123456789012:role/headroom"
SECRET = "hunter2-hunter2"
SERVICES = ", ".join(known_services())
ORDERS = Labels("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", "orders", "production")


def read(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> Config:
    return parsed(text.encode(), "headroom.yaml", Sources(environ or {}, folder))


def problems(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as failure:
        read(text, environ, folder)
    assert str(failure.value) == "\n".join(failure.value.problems)
    return [line.removeprefix("headroom.yaml: ") for line in failure.value.problems]


WHOLE = f"""
accounts:
  - name: production
    role_arn: {ROLE}
    external_id: "{SECRET}"
    regions: [eu-west-1, cn-north-1, us-gov-west-1]
    services: [kinesis]
  - role_arn: arn:aws-cn:iam::012345670123:role/team/monitoring/headroom
regions: all
services: [kinesis]
band: {{low: 0.3, high: 0.6, critical: 1}}
bands:
  - {{signal: kinesis.stream_*, resource: "orders*", critical: 0.8}}
  - {{account: production, region: eu-*, signal: stream_*, low: 0, high: 0.5}}
limits:
  - {{service: kinesis, resource: orders, limit: 5000}}
  - {{account: 123456789012, resource: "orders*", limit: 0.5}}
exclude:
  - {{resource: test-*}}
tags: [team, cost-center]
interval: 1m
inventory_interval: 900
judge_interval: "30s"
listen: "[::1]:4070"
endpoint_url: http://127.0.0.1:4566
"""


def test_everything_at_once() -> None:
    config = read(WHOLE)
    production, other = config.accounts
    assert (production.name, production.id, production.role_arn) == ("production", "123456789012", ROLE)
    assert production.secret and production.secret.get_secret_value() == SECRET
    assert (other.name, other.id, other.secret) == (None, "012345670123", None)
    assert (config.interval, config.inventory_interval, config.judge_interval) == (60, 900, 30)
    assert config.address == ("::1", 4070)
    assert config.tag_labels == {"team": "tag_team", "cost-center": "tag_cost_center"}
    assert config.endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "{}", "---\n", "accounts:\nband:\ninterval:\n", "accounts: []"]
)
def test_nothing_given_is_the_default(text: str) -> None:
    config = read(text)
    assert config == Config()
    assert config.address == ("127.0.0.1", 4070)
    assert (config.interval, config.inventory_interval, config.judge_interval) == (300, 600, 15)
    assert config.band_of(ORDERS) == Band.model_validate({"low": 0.40, "high": 0.70, "critical": 0.90})
    assert config.limit_of(ORDERS) is None
    assert not config.excludes(ORDERS)


def test_an_account_is_watched_with_its_own_regions_and_services_or_those_of_the_top_level() -> None:
    watched = read(WHOLE).watched()
    assert [account.regions for account in watched] == [
        ("eu-west-1", "cn-north-1", "us-gov-west-1"),
        ("all",),
    ]
    assert [account.services for account in watched] == [("kinesis",), ("kinesis",)]


def test_without_accounts_the_credentials_of_the_environment_are_watched_with_all_services() -> None:
    (account,) = read("regions: [eu-west-1]").watched()
    assert (account.role_arn, account.regions, account.services) == (None, ("eu-west-1",), known_services())


@pytest.mark.parametrize(
    ("labels", "band", "limit", "excluded"),
    [
        (ORDERS, (0.0, 0.5, 1.0), 0.5, False),
        (ORDERS._replace(region="us-east-1"), (0.3, 0.6, 0.8), 0.5, False),
        (ORDERS._replace(account="1", account_name=""), (0.3, 0.6, 0.8), 5000.0, False),
        (ORDERS._replace(account="1", account_name="", resource="test-1"), (0.3, 0.6, 1.0), None, True),
    ],
)
def test_the_last_override_that_matches_counts(
    labels: Labels, band: tuple[float, ...], limit: float | None, excluded: bool
) -> None:
    config = read(WHOLE)
    assert tuple(config.band_of(labels).model_dump().values()) == band
    assert (config.limit_of(labels), config.excludes(labels)) == (limit, excluded)


def test_a_signals_own_band_counts_more_than_the_default_and_less_than_an_override() -> None:
    own = Band.model_validate({"low": 0.1, "high": 0.7, "critical": 0.95})
    config = read(WHOLE)
    assert config.band_of(ORDERS._replace(account="1", account_name="", resource="other"), own) == own
    assert config.band_of(ORDERS, own).model_dump() == {"low": 0.0, "high": 0.5, "critical": 0.95}


WRONG = [
    # unknown keys and shapes
    ("role: x", ["role: unknown key"]),
    ("acounts: []", ["acounts: unknown key; did you mean accounts?"]),
    ("accounts: [{role_arm: x}]", ["accounts[0].role_arm: unknown key; did you mean role_arn?"]),
    ("band: {hihg: 1}", ["band.hihg: unknown key; did you mean high?"]),
    ('"a b\\n": 1', ["['a b\\n']: unknown key"]),
    ("- a", ["expected a mapping, found a list"]),
    ("just words", ["expected a mapping, found text"]),
    ("accounts: {name: x}", ["accounts: expected a list, found a mapping"]),
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
    ("band: {low: 0.8}", ["band: expected low < high < critical, found 0.8, 0.7, 0.9"]),
    (
        "bands: [{resource: a, low: 0.1}, {resource: b, critical: 0.7}]",
        ["bands[1]: expected low < high < critical, found 0.4, 0.7, 0.7"],
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
    ("exclude: [{region: mars-*}]", ["exclude[0].region: expected an AWS region, found 'mars-*'"]),
    # names that exist
    (
        "regions: [eu-wst-1]",
        ["regions[0]: expected an AWS region, found 'eu-wst-1'; did you mean eu-west-1?"],
    ),
    ("regions: eu-west-1", ["regions: expected a list of regions or the word all, found 'eu-west-1'"]),
    ("regions: 7", ["regions: expected a list, found a number"]),
    ("regions: [eu-west-1, eu-west-1]", ["regions: expected each once, found eu-west-1 twice"]),
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
            "accounts[1].role_arn: expected another account than in accounts[0], found the same",
            "accounts[1].name: expected another name than in accounts[0], found the same",
        ],
    ),
    (
        "accounts: [{name: a}, {name: b}]",
        ["accounts[1].role_arn: expected another account than in accounts[0], found the same"],
    ),
    # tags
    ("tags: [team, team]", ["tags: expected each once, found team twice"]),
    (
        "tags: [cost-center, cost_center]",
        ["tags[1]: expected a label of its own, found tag_cost_center, that of 'cost-center'"],
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


@pytest.mark.parametrize(("text", "expected"), WRONG, ids=[text for text, _ in WRONG])
def test_a_wrong_file_is_told_where_what_was_expected_and_what_was_found(
    text: str, expected: list[str]
) -> None:
    assert problems(text) == expected


def test_a_long_value_is_cut_and_many_problems_are_counted() -> None:
    lines = problems("tags: [" + ", ".join(["1.5"] * 1000) + "]\nlisten: " + "x" * 1000)
    assert len(lines) == 51
    assert lines[-1] == "and 951 more problems"
    (line,) = problems("listen: " + "x" * 1000)
    assert line.endswith("found '" + "x" * 60 + "'...")


# A secret given at every place where somebody may put one by mistake.
LEAKS = [
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


@pytest.mark.parametrize("text", LEAKS)
def test_no_problem_repeats_a_secret(text: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text(f"{SECRET} has blanks")
    (tmp_path / "binary").write_bytes(SECRET.encode() + b"\xff")
    lines = problems(text, {"WRONG": f"{SECRET} has blanks", "RIGHT": SECRET}, tmp_path)
    assert len(lines) == 1
    assert "hunter" not in lines[0]


@pytest.mark.parametrize(
    ("where", "value"), [("external_id", SECRET), ("external_id_env", "ID"), ("external_id_file", "id.txt")]
)
def test_a_secret_is_read_and_never_shown(where: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "id.txt").write_text(f"{SECRET}\n")
    text = f"accounts: [{{role_arn: '{ROLE}', {where}: '{value}'}}]"
    config = read(text, {"ID": SECRET}, tmp_path)
    (account,) = config.watched()
    assert account.secret and account.secret.get_secret_value() == SECRET
    for shown in (repr(config), str(config), config.model_dump_json(), repr(account), str(account.secret)):
        assert "hunter" not in shown


def test_the_file_is_the_argument_or_the_variables_or_the_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Config()
    for name, interval in (("headroom.yaml", "1m"), ("variable.yaml", "2m"), ("argument.yaml", "3m")):
        (tmp_path / name).write_text(f"interval: {interval}\n")
    variable = {"HEADROOM_CONFIG": "variable.yaml"}
    assert load(None, {}).interval == 60
    assert load(None, {"HEADROOM_CONFIG": ""}).interval == 60
    assert load(None, variable).interval == 120
    assert load(tmp_path / "argument.yaml", variable).interval == 180


def test_a_secrets_file_is_looked_up_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "id").write_text(SECRET)
    file = tmp_path / "h.yaml"
    file.write_text(f"accounts: [{{role_arn: '{ROLE}', external_id_file: id}}]")
    (account,) = load(file, {}).accounts
    assert account.secret and account.secret.get_secret_value() == SECRET


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("big.yaml").write_bytes(b"#" * (1024**2 + 1))
    Path("just.yaml").write_bytes(b"#" * 1024**2)
    Path("latin.yaml").write_bytes(b"tags: [caf\xe9]")
    Path("wrong.yaml").write_text("a: 1")
    assert load(Path("just.yaml"), {}) == Config()
    told = {}
    for name in ("none.yaml", ".", "big.yaml", "latin.yaml", "wrong.yaml"):
        with pytest.raises(ConfigError) as failure:
            load(None, {"HEADROOM_CONFIG": name})
        (told[name],) = failure.value.problems
    assert told == {
        "none.yaml": "none.yaml: cannot be read: No such file or directory",
        ".": ".: cannot be read: Is a directory",
        "big.yaml": "big.yaml: expected at most 1 MiB, found more",
        "latin.yaml": "latin.yaml: expected UTF-8, found the byte 0xe9 (line 1)",
        "wrong.yaml": "wrong.yaml: a: unknown key",
    }


# Junk that looks like a configuration: known keys at every level, values of every kind.
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
def test_junk_is_a_configuration_or_a_configuration_error(junk: Any) -> None:
    try:
        read(json.dumps(junk))
    except ConfigError as error:
        assert error.problems
        assert all(line.startswith("headroom.yaml: ") and line.isprintable() for line in error.problems)
