"""An organization as an entry of `accounts`: its meaning, and the problems of invalid entries."""

from pathlib import Path

import pytest

from monitor.aws.organization import Organization
from monitor.config.config import Config
from monitor.config.exclude import ineffective_entries
from monitor.config.file import parse_config
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

HUB = "arn:aws:iam::999999999999:role/hub"


def parse(text: str) -> Config:
    return parse_config(text.encode(), "headroom.yaml", ConfigContext({"ID": "external"}, Path(), REGISTRY))


def organization(text: str) -> Organization:
    """Return the entry of an organization with these settings."""
    (entry,) = parse(f"accounts: {{organization: true, {text}}}").monitored_organizations(REGISTRY)
    return entry


def test_one_entry_is_enough_for_an_organization() -> None:
    config = parse("accounts: {organization: true}\nregions: [eu-west-1]\nservices: [sqs]")
    (entry,) = config.monitored_organizations(REGISTRY)
    assert (entry.title, entry.role_name) == ("organization", "headroom")
    assert (entry.regions, entry.services) == (("eu-west-1",), ("sqs",))
    assert config.monitored_accounts(REGISTRY) == ()
    assert config.monitored_services(REGISTRY) == {"sqs"}


def test_a_member_is_an_account_with_the_role_and_the_settings_of_the_organization() -> None:
    hub = HUB.replace("aws", "aws-cn")
    entry = organization(
        f"role_name: team/monitor, external_id_env: ID, session_name: hr, via: {hub}, "
        "regions: [cn-north-1], services: [sqs]"
    )
    member = entry.member("123456789012", "payments", "aws-cn", is_own=False)
    assert (member.id, member.name) == ("123456789012", "payments")
    assert (member.regions, member.services) == (("cn-north-1",), ("sqs",))
    assert [(role.role_arn, role.session_name) for role in member.roles] == [
        (hub, "headroom"),
        ("arn:aws-cn:iam::123456789012:role/team/monitor", "hr"),
    ]
    secret = member.roles[-1].external_id_secret
    assert secret
    assert secret.get_secret_value() == "external"


def test_the_account_of_headrooms_own_credentials_needs_no_role() -> None:
    member = organization(f"via: {HUB}").member("123456789012", "home", "aws", is_own=True)
    assert (member.id, member.role_arn, member.roles) == ("123456789012", None, ())


def test_the_accounts_are_listed_with_headrooms_own_credentials_or_the_management_role() -> None:
    assert organization("name: acme").lister.roles == ()
    lister = organization(f"management_role: [{HUB}, {{role_arn: {HUB}2, external_id: x1}}]").lister
    assert [role.role_arn for role in lister.roles] == [HUB, f"{HUB}2"]


def test_the_profile_of_an_organization_lists_and_reads_its_accounts() -> None:
    entry = organization("profile: china")
    members = [entry.member("123456789012", "payments", "aws-cn", is_own=is_own) for is_own in (True, False)]
    assert {account.profile for account in (entry.lister, *members)} == {"china"}


@pytest.mark.parametrize(
    ("patterns", "included"),
    [
        ("include: []", ["prod-a", "prod-b", "sandbox-1"]),
        ("include: [prod-*]", ["prod-a", "prod-b"]),
        ("exclude: [sandbox-*]", ["prod-a", "prod-b"]),
        ("include: [prod-*], exclude: [222222222222]", ["prod-a"]),
        ('include: ["111111111111", "333333333333"]', ["prod-a", "sandbox-1"]),
        ("exclude: ['*']", []),
    ],
)
def test_include_and_exclude_select_accounts_by_id_or_by_a_pattern_of_names(
    patterns: str, included: list[str]
) -> None:
    names = {"111111111111": "prod-a", "222222222222": "prod-b", "333333333333": "sandbox-1"}
    entry = organization(patterns)
    assert [name for id_, name in names.items() if entry.includes(id_, name)] == included


@pytest.mark.parametrize(
    ("configured_tags", "included"),
    [
        ("environment: production", True),
        ("environment: [staging, prod*]", True),
        ("environment: '*', team: web", True),
        ("environment: staging", False),
        ("environment: '*', owner: '*'", False),
        ("Environment: production", False),
    ],
)
def test_an_account_is_included_if_each_configured_tag_has_one_of_its_values(
    configured_tags: str, included: bool
) -> None:
    tags = {"environment": "production", "team": "web"}
    entry = organization(f"tags: {{{configured_tags}}}")
    assert entry.includes("111111111111", "a", tags) is included
    assert not entry.includes("111111111111", "a", {})
    assert entry.includes("111111111111", "a")  # the account is included while its tags are unknown


def test_a_configured_tag_that_matches_no_account_is_reported() -> None:
    entry = organization("tags: {environment: production, team: [web, api]}")
    accounts = [("111111111111", "a")]
    sentence = "tags.team of organization matches no account."
    assert list(entry.unmatched_patterns(accounts, [{"environment": "production", "team": "shop"}])) == [
        sentence
    ]
    assert list(entry.unmatched_patterns(accounts, [])) == []


def test_a_pattern_that_matches_no_account_is_reported() -> None:
    entry = organization('exclude: ["123456789012", "sand*"], include: ["prod-*"]')
    assert list(entry.unmatched_patterns([("111111111111", "sandbox")], [])) == [
        "include[0] of organization matches no account: 'prod-*'.",
        "exclude[0] of organization matches no account: '123456789012'.",
    ]


def test_the_list_of_accounts_may_contain_organizations_and_accounts() -> None:
    config = parse(
        "accounts: [{organization: true, name: acme}, {organization: true, name: china},"
        " {name: apart, role_arn: 'arn:aws:iam::123456789012:role/other'}]"
    )
    assert [entry.title for entry in config.monitored_organizations(REGISTRY)] == [
        "organization acme",
        "organization china",
    ]
    assert [account.name for account in config.monitored_accounts(REGISTRY)] == ["apart"]


def test_exclude_may_name_accounts_that_the_organization_lists_later() -> None:
    config = parse("accounts: {organization: true}\nexclude: [{account: sandbox-*}, {service: sqs}]")
    assert list(ineffective_entries(config.exclude, config.configured_entries(REGISTRY), REGISTRY)) == []
    (entry,) = config.monitored_organizations(REGISTRY)
    assert "sqs" not in entry.services


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{organization: false}", ["accounts.organization: expected true, found false"]),
        ("{organization: 'true'}", ["accounts.organization: expected true, found 'true'"]),
        ("{organisation: true}", ["accounts.organisation: unknown key; did you mean organization?"]),
        (
            "[{organization: true, role_arn: x}]",
            ["accounts[0].role_arn: unknown key; did you mean role_name?"],
        ),
        (
            "{organization: true, role_name: 'a b', exclude: [12345678901], organizational_units: [ou-1]}",
            [
                "accounts.role_name: expected the name of a role such as headroom, or its path and name, "
                "found 'a b'",
                "accounts.organizational_units[0]: expected the id of an organizational unit such as "
                "ou-ab12-34cd56ef, found 'ou-1'",
                "accounts.exclude[0]: expected the 12 digits of an account's id, in quotes, or a pattern of "
                "names, found 12345678901",
            ],
        ),
        (
            "{organization: true, role_name: 'arn:aws:iam::123456789012:role/headroom'}",
            [
                "accounts.role_name: expected the name of a role such as headroom, or its path and name, "
                "found 'arn:aws:iam::123456789012:role/headroom'"
            ],
        ),
        (
            "{organization: true, exclude: sandbox, regions: [mars-1]}",
            [
                "accounts.exclude: expected a list, found text",
                "accounts.regions[0]: expected an AWS region, found 'mars-1'",
            ],
        ),
        (
            "{organization: true, tags: {'': web}}",
            ["accounts.tags['']: expected text, found ''"],
        ),
        (
            "{organization: true, management_role: admin}",
            [
                "accounts.management_role[0].role_arn: expected a role such as "
                "arn:aws:iam::123456789012:role/headroom, found 'admin'"
            ],
        ),
        (
            "[{organization: true, regions: [cn-north-1], via: 'arn:aws:iam::123456789012:role/hub'}]",
            [
                "accounts[0].regions: expected regions of aws, the partition of role_arn, found cn-north-1",
            ],
        ),
        (
            "[{organization: true}, {organization: true}]",
            ["accounts[1].name: expected a name that differs from that of accounts[0], found the same"],
        ),
        ("3", ["accounts: expected a list, found a number"]),
        ("[3]", ["accounts[0]: expected a mapping, found a number"]),
    ],
)
def test_every_problem_of_an_entry_is_reported_at_once(text: str, problems: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"accounts: {text}")
    assert error.value.problems == [f"headroom.yaml: {problem}" for problem in problems]
