"""The policies that let Headroom list accounts and assume roles."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.aws.access_policy import PolicyPrincipal, access_statements
from monitor.aws.known_accounts import known_accounts_path
from monitor.config.config import Config
from tests.monitor.cli.invocation import headroom
from tests.registries import REGISTRY

HUB, MANAGEMENT, SPOKE, OTHER_SPOKE = (
    f"arn:aws:iam::{digit * 12}:role/{name}"
    for digit, name in (("1", "hub"), ("2", "lister"), ("3", "headroom"), ("4", "headroom"))
)
MEMBERS = "arn:aws:iam::*:role/team/monitor"
ORGANIZATION = {"organization": True, "role_name": "team/monitor"}
ASSUME, LIST = "sts:AssumeRole", "organizations:ListAccounts"
LIST_UNITS = ("organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent")


def allowed_resources(accounts: Any, principal: PolicyPrincipal) -> dict[str, list[str]]:
    """Return the resources that a principal's policy allows, by the actions joined by a comma.

    accounts: the value of the configuration's key `accounts`.
    """
    config = Config.model_validate({"accounts": accounts})
    statements = access_statements(config.monitored_entries(REGISTRY), principal)
    return {",".join(statement["Action"]): statement["Resource"] for statement in statements}


@pytest.mark.parametrize(
    ("accounts", "principal", "expected"),
    [
        ([], "caller", {}),
        ([{"role_arn": SPOKE}, {"role_arn": OTHER_SPOKE}], "caller", {ASSUME: [SPOKE, OTHER_SPOKE]}),
        ([{"role_arn": SPOKE}, {"role_arn": OTHER_SPOKE}], "via", {}),
        (
            [{"role_arn": SPOKE, "via": [HUB]}, {"role_arn": OTHER_SPOKE, "via": HUB}],
            "caller",
            {ASSUME: [HUB]},
        ),
        (
            [{"role_arn": SPOKE, "via": [HUB]}, {"role_arn": OTHER_SPOKE, "via": HUB}],
            "via",
            {ASSUME: [SPOKE, OTHER_SPOKE]},
        ),
        (ORGANIZATION, "caller", {LIST: ["*"], ASSUME: [MEMBERS]}),
        (ORGANIZATION, "account", {}),
        (ORGANIZATION, "management", {}),
        (
            {**ORGANIZATION, "organizational_units": ["r-ab12"]},
            "caller",
            {",".join(LIST_UNITS): ["*"], ASSUME: [MEMBERS]},
        ),
        ({**ORGANIZATION, "management_role": MANAGEMENT}, "caller", {ASSUME: [MEMBERS, MANAGEMENT]}),
        ({**ORGANIZATION, "management_role": MANAGEMENT}, "management", {LIST: ["*"]}),
        (
            {**ORGANIZATION, "management_role": MANAGEMENT, "tags": {"team": "web"}},
            "management",
            {f"{LIST},organizations:ListTagsForResource": ["*"]},
        ),
        ({**ORGANIZATION, "via": HUB}, "via", {ASSUME: [MEMBERS]}),
        (
            {**ORGANIZATION, "regions": ["cn-north-1"]},
            "caller",
            {LIST: ["*"], ASSUME: [MEMBERS.replace("aws", "aws-cn")]},
        ),
    ],
)
def test_each_principal_is_allowed_the_actions_it_performs(
    accounts: Any, principal: PolicyPrincipal, expected: dict[str, list[str]]
) -> None:
    assert allowed_resources(accounts, principal) == expected


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "headroom.yaml"
    accounts = {**ORGANIZATION, "exclude": ["sandbox-*", "payments"]}
    settings = {"accounts": accounts, "services": ["sqs"], "journal": str(tmp_path / "headroom.db")}
    path.write_text(json.dumps(settings))
    return path


def test_the_command_prints_the_permissions_to_read_and_to_assume_roles(config_file: Path) -> None:
    statements = json.loads(headroom("iam-policy", "--config", str(config_file)).stdout)["Statement"]
    assert [statement["Sid"] for statement in statements] == [
        "Headroom",
        "HeadroomSqs",
        "HeadroomOrganization",
        "HeadroomRoles",
    ]
    account_policy = json.loads(
        headroom("iam-policy", "--config", str(config_file), "--of", "account").stdout
    )
    assert account_policy["Statement"] == statements[:2]
    rejected = headroom("iam-policy", "--config", str(config_file), "--of", "management")
    assert rejected.exit_code == 2
    assert "no such role" in rejected.output


def test_patterns_are_compared_with_the_accounts_that_a_server_has_listed(config_file: Path) -> None:
    output = headroom("config", "check", "--config", str(config_file)).stdout
    assert "The accounts of the organization are not known yet" in output
    accounts = [{"id": "1" * 12, "name": "payments", "state": "ACTIVE"}]
    listing = {"own_account": "1" * 12, "partition": "aws", "units": [], "accounts": accounts}
    known_accounts_path(config_file.parent / "headroom.db").write_text(json.dumps({"organization": listing}))
    output = headroom("config", "check", "--config", str(config_file)).stdout
    assert output.splitlines()[2:] == ["exclude[0] of organization matches no account: 'sandbox-*'."]
