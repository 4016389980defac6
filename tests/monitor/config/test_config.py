"""The configuration file: which file is read, and the settings that it yields."""

from pathlib import Path

import pytest

from monitor.aws.account import Account
from monitor.config.config import Config
from monitor.config.file import parse_config, read_config
from monitor.schema.problems import ConfigError
from monitor.schema.selector import SelectorLabels
from monitor.schema.types import ConfigContext
from rules.signals import Band
from tests.registries import REGISTRY

ROLE = "arn:aws:iam::123456789012:role/headroom"
SECRET = "hunter2-hunter2"
ORDERS = SelectorLabels("123456789012", "eu-west-1", "kinesis", "stream_write_bytes", "orders", "production")


def read(text: str, environ: dict[str, str] | None = None, folder: Path = Path()) -> Config:
    """Return the configuration in a file with this text."""
    return parse_config(text.encode(), "headroom.yaml", ConfigContext(environ or {}, folder, REGISTRY))


FULL_CONFIG = f"""
accounts:
  - name: production
    role_arn: {ROLE}
    external_id: "{SECRET}"
    regions: [eu-west-1, ap-east-1, us-east-1]
    services: [kinesis]
  - role_arn: arn:aws-cn:iam::012345670123:role/team/monitoring/headroom
regions: all
services: [kinesis]
band: {{low: 0.3, high: 0.6, near: 1}}
bands:
  - {{signal: kinesis.stream_*, resource: "orders*", near: 0.8}}
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


def test_a_configuration_with_every_key_is_read() -> None:
    config = read(FULL_CONFIG)
    production, china = config.accounts
    assert isinstance(production, Account)
    assert isinstance(china, Account)
    assert (production.name, production.id, production.role_arn) == ("production", "123456789012", ROLE)
    assert production.external_id_secret and production.external_id_secret.get_secret_value() == SECRET
    assert (china.name, china.id, china.external_id_secret) == (None, "012345670123", None)
    assert (config.interval, config.inventory_interval, config.judge_interval) == (60, 900, 30)
    assert config.listen_address == ("::1", 4070)
    assert config.tag_labels == {"team": "tag_team", "cost-center": "tag_cost_center"}
    assert config.endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    "text", ["", "# a comment\n", "{}", "---\n", "accounts:\nband:\ninterval:\n", "accounts: []"]
)
def test_without_settings_all_keys_have_their_defaults(text: str) -> None:
    config = read(text)
    assert config == Config()
    assert config.listen_address == ("127.0.0.1", 4070)
    assert (config.interval, config.inventory_interval, config.judge_interval) == (60, 600, 15)
    assert config.band_for(ORDERS) == Band.model_validate({"low": 0.40, "high": 0.70, "near": 0.90})
    assert config.limit_override(ORDERS) is None
    assert not config.is_excluded(ORDERS)


def test_an_account_without_regions_or_services_has_the_top_level_regions_and_services() -> None:
    accounts = read(FULL_CONFIG).monitored_accounts(REGISTRY)
    assert [account.regions for account in accounts] == [
        ("eu-west-1", "ap-east-1", "us-east-1"),
        ("all",),
    ]
    assert [account.services for account in accounts] == [("kinesis",), ("kinesis",)]


def test_without_accounts_the_account_of_the_environment_is_watched() -> None:
    (account,) = read("regions: [eu-west-1]").monitored_accounts(REGISTRY)
    assert (account.role_arn, account.regions, account.services) == (
        None,
        ("eu-west-1",),
        REGISTRY.service_names,
    )


@pytest.mark.parametrize(
    ("labels", "band", "limit", "is_excluded"),  # band: low, high and near
    [
        (ORDERS, (0.0, 0.5, 1.0), 0.5, False),
        (ORDERS._replace(region="us-east-1"), (0.3, 0.6, 0.8), 0.5, False),
        (ORDERS._replace(account="1", account_name=""), (0.3, 0.6, 0.8), 5000.0, False),
        (ORDERS._replace(account="1", account_name="", resource="test-1"), (0.3, 0.6, 1.0), None, True),
    ],
)
def test_the_last_matching_override_applies(
    labels: SelectorLabels, band: tuple[float, ...], limit: float | None, is_excluded: bool
) -> None:
    config = read(FULL_CONFIG)
    assert tuple(config.band_for(labels).model_dump().values()) == band
    assert (config.limit_override(labels), config.is_excluded(labels)) == (limit, is_excluded)


@pytest.mark.parametrize(
    ("override", "band"),
    [
        ("{account: production, low: 0.2}", (0.0, 0.25, 0.5)),
        ("{signal: stream_*, low: 0.2}", (0.0, 0.25, 0.5)),
        ("{signal: '*', low: 0.1, high: 0.2, near: 0.3}", (0.0, 0.25, 0.5)),
        ("{signal: retention_iterator_age, high: 0.3}", (0.0, 0.3, 0.5)),
        ("{signal: kinesis.retention_iterator_age, high: 0.3}", (0.0, 0.3, 0.5)),
    ],
)
def test_only_an_override_with_the_name_of_the_signal_changes_its_catalogue_band(
    override: str, band: tuple[float, ...]
) -> None:
    catalogue_band = Band.model_validate({"low": 0.0, "high": 0.25, "near": 0.5})
    config = read(f"band: {{low: 0.1}}\nbands: [{override}]")
    labels = ORDERS._replace(signal="retention_iterator_age")
    assert tuple(config.band_for(labels, catalogue_band).model_dump().values()) == band


@pytest.mark.parametrize(
    ("key", "value"), [("external_id", SECRET), ("external_id_env", "ID"), ("external_id_file", "id.txt")]
)
def test_a_secret_is_read_and_never_shown(key: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "id.txt").write_text(f"{SECRET}\n")
    text = f"accounts: [{{role_arn: '{ROLE}', {key}: '{value}'}}]"
    config = read(text, {"ID": SECRET}, tmp_path)
    (account,) = config.monitored_accounts(REGISTRY)
    assert account.external_id_secret and account.external_id_secret.get_secret_value() == SECRET
    for text_for_users in (
        repr(config),
        str(config),
        config.model_dump_json(),
        repr(account),
        str(account.external_id_secret),
    ):
        assert "hunter" not in text_for_users


def test_the_argument_precedes_the_variable_and_the_variable_precedes_the_file_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_config(None, {}, REGISTRY) == Config()
    for name, interval in (("headroom.yaml", "1m"), ("variable.yaml", "2m"), ("argument.yaml", "3m")):
        (tmp_path / name).write_text(f"interval: {interval}\n")
    variable = {"HEADROOM_CONFIG": "variable.yaml"}
    assert read_config(None, {}, REGISTRY).interval == 60
    assert read_config(None, {"HEADROOM_CONFIG": ""}, REGISTRY).interval == 60
    assert read_config(None, variable, REGISTRY).interval == 120
    assert read_config(tmp_path / "argument.yaml", variable, REGISTRY).interval == 180


def test_the_path_of_the_file_of_a_secret_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "id").write_text(SECRET)
    file = tmp_path / "h.yaml"
    file.write_text(f"accounts: [{{role_arn: '{ROLE}', external_id_file: id}}]")
    (account,) = read_config(file, {}, REGISTRY).accounts
    assert account.external_id_secret and account.external_id_secret.get_secret_value() == SECRET


def test_a_file_that_cannot_be_read_or_parsed_is_reported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("big.yaml").write_bytes(b"#" * (1024**2 + 1))
    Path("largest.yaml").write_bytes(b"#" * 1024**2)
    Path("latin.yaml").write_bytes(b"tags: [caf\xe9]")
    Path("wrong.yaml").write_text("a: 1")
    assert read_config(Path("largest.yaml"), {}, REGISTRY) == Config()
    problem_by_file = {}
    for name in ("none.yaml", ".", "big.yaml", "latin.yaml", "wrong.yaml"):
        with pytest.raises(ConfigError) as error:
            read_config(None, {"HEADROOM_CONFIG": name}, REGISTRY)
        (problem_by_file[name],) = error.value.problems
    assert problem_by_file == {
        "none.yaml": "none.yaml: cannot be read: No such file or directory",
        ".": ".: cannot be read: expected a file, found a directory",
        "big.yaml": "big.yaml: expected at most 1 MiB, found more",
        "latin.yaml": "latin.yaml: expected UTF-8, found the byte 0xe9 (line 1)",
        "wrong.yaml": "wrong.yaml: a: unknown key",
    }
