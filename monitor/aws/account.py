"""The settings of an account: its role, its regions and its services."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from monitor.schema.problems import problem
from monitor.schema.secrets import ExternalId, ExternalIdEnv, ExternalIdFile
from monitor.schema.types import ConfigModel, Regions, Role, Services, Text


class Account(ConfigModel):
    """One entry of `accounts`; without any key, the account of the default AWS credential chain."""

    name: Text | None = Field(default=None, description="A short name for people; default: the account's id.")
    role_arn: Role | None = Field(
        default=None,
        description="Role to assume; default: use the credentials of the environment without a role.",
    )
    external_id: ExternalId | None = Field(
        default=None, description="External id that the role requires, in plain text."
    )
    external_id_env: ExternalIdEnv | None = Field(
        default=None, description="Environment variable that holds the external id."
    )
    external_id_file: ExternalIdFile | None = Field(
        default=None,
        description="File that holds the external id; relative names start at this file's folder.",
    )
    regions: Regions = Field(default=(), description="Regions of this account; default: the top level's.")
    services: Services = Field(default=(), description="Services of this account; default: the top level's.")

    @property
    def id(self) -> str | None:
        """The 12-digit id in the role's ARN; None without a role, when only STS knows it."""
        return self.role_arn.split(":")[4] if self.role_arn else None

    @property
    def external_id_secret(self) -> SecretStr | None:
        """The external id, from whichever of the three keys it is given by."""
        return self.external_id or self.external_id_env or self.external_id_file

    @model_validator(mode="after")
    def _at_most_one_external_id(self) -> Self:
        names = ("external_id", "external_id_env", "external_id_file")
        given = [name for name in names if getattr(self, name)]
        if len(given) > 1:
            raise problem(f"expected one external id, found {' and '.join(given)}")
        if given and not self.role_arn:
            raise problem(f"expected role_arn beside {given[0]}, found none")
        return self


EXAMPLES = [
    {
        "name": "production",
        "role_arn": "arn:aws:iam::123456789012:role/headroom",
        "external_id_file": "external-id",
        "regions": ["eu-west-1"],
        "services": ["kinesis"],
    },
    {
        "name": "staging",
        "role_arn": "arn:aws:iam::210987654321:role/headroom",
        "external_id_env": "STAGING_EXTERNAL_ID",
    },
    {
        "name": "sandbox",
        "role_arn": "arn:aws:iam::111122223333:role/headroom",
        "external_id": "headroom-sandbox",
    },
]


def account_name(account: Account) -> str:
    """The name of an account in messages: the configured one, else its id, else `default`."""
    return account.name or account.id or "default"
