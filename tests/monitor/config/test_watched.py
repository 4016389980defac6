"""The sentence that says what a configuration watches and whom it notifies."""

import pytest

from monitor.config.config import Config
from monitor.config.watched import watched_sentence
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

ROLE = "arn:aws:iam::123456789012:role/headroom"
OTHER_ROLE = "arn:aws:iam::210987654321:role/headroom"
SLACK = {"type": "slack", "url": "https://hooks.example.org"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"services": ["s3", "sqs"]},
            "the account of the AWS credentials in the region of the environment: s3, sqs; "
            "notifies nobody (no `receivers`)",
        ),
        (
            {"accounts": [{"profile": "prod"}], "services": ["s3"], "regions": "all"},
            "the account of the profile prod in all enabled regions: s3; notifies nobody (no `receivers`)",
        ),
        (
            {
                "accounts": [
                    {"name": "prod", "role_arn": ROLE, "services": ["s3"]},
                    {"role_arn": OTHER_ROLE},
                ],
                "services": ["sqs"],
                "regions": ["eu-west-1", "eu-central-1"],
                "receivers": [{"name": "on-call", **SLACK}],
                "route": {"receiver": "on-call"},
            },
            "prod, 210987654321 in eu-central-1, eu-west-1: s3, sqs; notifies on-call",
        ),
        (
            {"accounts": {"organization": True, "role_name": "headroom"}, "services": ["s3"]},
            "the organization in the region of the environment: s3; notifies nobody (no `receivers`)",
        ),
    ],
)
def test_the_sentence_names_accounts_and_regions_and_services_and_receivers(
    config: dict[str, object], expected: str
) -> None:
    parsed = Config.model_validate(config, context=ConfigContext(registry=REGISTRY))
    assert watched_sentence(parsed, REGISTRY) == f"watches {expected}"


def test_many_services_are_counted_and_not_named() -> None:
    sentence = watched_sentence(Config(), REGISTRY)
    assert f": {len(REGISTRY.service_names)} services; " in sentence


def test_a_configuration_that_excludes_all_accounts_watches_nothing() -> None:
    config = Config.model_validate({"exclude": [{"account": "*"}]}, context=ConfigContext(registry=REGISTRY))
    assert watched_sentence(config, REGISTRY) == "watches nothing: `exclude` matches all accounts"
