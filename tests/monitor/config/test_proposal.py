"""The configuration file that `headroom init` proposes."""

from pathlib import Path

import pytest

from monitor.config.config import Config
from monitor.config.file import parse_config
from monitor.config.proposal import HEADER, Proposal
from monitor.schema.types import ConfigContext
from tests.registries import REGISTRY

ROLE = "arn:aws:iam::210987654321:role/headroom"
SLACK = "https://hooks.slack.com/services/T0/B0/secret"


@pytest.mark.parametrize(
    ("proposal", "text"),
    [
        (Proposal(regions=["eu-west-1"]), "regions: [eu-west-1]\n"),
        (
            Proposal((ROLE,), ("all",), profile="prod"),
            f"regions: all\naccounts:\n  - {{profile: prod, role_arn: {ROLE}}}\n",
        ),
        (
            Proposal(("organization",), ("eu-west-1", "us-east-1"), "http://alertmanager:9093"),
            "regions: [eu-west-1, us-east-1]\n"
            "accounts:\n  - {organization: true, role_name: headroom}\n"
            "receivers:\n  - {name: on-call, type: alertmanager, urls: [http://alertmanager:9093], "
            "allow_insecure: true}\n",
        ),
        (
            Proposal(("organization",), ("all",), profile="prod"),
            "regions: all\naccounts:\n  - {organization: true, profile: prod, role_name: headroom}\n",
        ),
        (
            Proposal((), ("eu-west-1",), SLACK, "a profile"),
            'regions: [eu-west-1]\naccounts:\n  - {profile: "a profile"}\n'
            "receivers:\n  - {name: on-call, type: slack, url_file: receiver-url}\n",
        ),
        (
            Proposal((), ("eu-west-1",), "https://example.org/hook"),
            "regions: [eu-west-1]\nreceivers:\n  - {name: on-call, type: webhook, url_file: receiver-url}\n",
        ),
    ],
)
def test_the_proposed_file_has_the_answers_and_no_secret(
    proposal: Proposal, text: str, tmp_path: Path
) -> None:
    assert proposal.text == HEADER + text
    for name, secret in proposal.secrets.items():
        (tmp_path / name).write_text(f"{secret}\n")
    context = ConfigContext(folder=tmp_path, registry=REGISTRY)
    parsed = parse_config(proposal.text.encode(), "headroom.yaml", context)
    assert parsed == Config.model_validate(proposal.data_with_secrets, context=context)
