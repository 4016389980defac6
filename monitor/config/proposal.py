"""The configuration file that `headroom init` proposes, made of the user's answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from monitor.schema.types import ALL_REGIONS

HEADER = """\
# Made by `headroom init`. `headroom config example` explains every key,
# `headroom config check` tells what is watched and what is wrong.
"""
SLACK_HOST = "hooks.slack.com"
ORGANIZATION = "organization"  # the answer that means all accounts of the organization
ROLE_NAME = "headroom"  # the role to assume in each account of an organization
RECEIVER = "on-call"
UNQUOTED = re.compile(r"[A-Za-z][A-Za-z0-9_./:@-]*")  # texts that need no quotes in YAML


@dataclass(frozen=True, slots=True)
class Proposal:
    """The answers that a configuration file is made of.

    accounts: ARNs of roles, or ORGANIZATION; empty for the account of the credentials. regions: names of
    regions, or ALL_REGIONS. receiver_url: the URL of Alertmanager, or of a webhook of Slack or of any other
    receiver; empty if nobody is notified. profile: a profile of the AWS configuration files; empty for the
    credentials of the environment. secret_file: the file for the URL of a webhook, which is a secret.
    """

    accounts: Sequence[str] = ()
    regions: Sequence[str] = ()
    receiver_url: str = ""
    profile: str = ""
    secret_file: str = field(default="receiver-url", kw_only=True)

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets by the name of their file: the URL of a webhook, if any."""
        return {self.secret_file: self.receiver_url} if self._receiver.get("url_file") else {}

    @property
    def data(self) -> dict[str, Any]:
        """The keys and values of the configuration file."""
        regions = ALL_REGIONS if ALL_REGIONS in self.regions else [*self.regions]
        keys = {
            "regions": regions,
            "accounts": self._accounts,
            "receivers": [self._receiver] if self.receiver_url else [],
        }
        return {name: value for name, value in keys.items() if value}

    @property
    def text(self) -> str:
        """The configuration file as YAML."""
        return HEADER + "".join(f"{name}:{_yaml(value)}\n" for name, value in self.data.items())

    @property
    def data_with_secrets(self) -> dict[str, Any]:
        """The keys and values, with secrets in place of their files, which are not written yet."""
        data = self.data
        if self.secrets:
            data["receivers"] = [{**self._receiver, "url": self.receiver_url}]
            del data["receivers"][0]["url_file"]
        return data

    @property
    def _accounts(self) -> list[dict[str, Any]]:
        profile = {"profile": self.profile} if self.profile else {}
        if ORGANIZATION in self.accounts:
            return [{"organization": True, **profile, "role_name": ROLE_NAME}]
        roles = [{**profile, "role_arn": role} for role in self.accounts]
        return roles or ([profile] if profile else [])

    @property
    def _receiver(self) -> dict[str, Any]:
        if not self.receiver_url:
            return {}
        url = urlsplit(self.receiver_url)
        if url.hostname == SLACK_HOST:
            return {"name": RECEIVER, "type": "slack", "url_file": self.secret_file}
        if not url.path.strip("/"):
            insecure = {"allow_insecure": True} if url.scheme == "http" else {}  # usual within a cluster
            return {"name": RECEIVER, "type": "alertmanager", "urls": [self.receiver_url], **insecure}
        return {"name": RECEIVER, "type": "webhook", "url_file": self.secret_file}


def _yaml(value: Any) -> str:
    """Return the YAML after a key: a line per mapping for a list of mappings, else one line."""
    if isinstance(value, list) and isinstance(value[0], dict):
        return "".join(f"\n  - {_flow(item)}" for item in value)
    return f" {_flow(value)}"


def _flow(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return value if isinstance(value, str) and UNQUOTED.fullmatch(value) else orjson.dumps(value).decode()
