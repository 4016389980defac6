"""An account to watch, and how to get in."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from monitor.config_errors import problem
from monitor.config_types import (
    ExternalId,
    ExternalIdEnv,
    ExternalIdFile,
    Model,
    Regions,
    Role,
    Services,
    Text,
)


class Account(Model):
    """One entry of `accounts`; with nothing given, the account of the usual AWS credential chain."""

    name: Text | None = Field(default=None, description="A short name for people; default: the account's id.")
    role_arn: Role | None = Field(
        default=None,
        description="Role to assume; default: the credentials found in the environment, as they are.",
    )
    external_id: ExternalId | None = Field(
        default=None, description="External id the role asks for, in the open."
    )
    external_id_env: ExternalIdEnv | None = Field(
        default=None, description="Environment variable that holds the external id."
    )
    external_id_file: ExternalIdFile | None = Field(
        default=None,
        description="File that holds the external id; relative names start at this file's folder.",
    )
    regions: Regions = Field(default=(), description="As the regions of the top level; default: those.")
    services: Services = Field(default=(), description="As the services of the top level; default: those.")

    @property
    def id(self) -> str | None:
        """The 12-digit id, where the role's ARN tells it; otherwise AWS has to be asked."""
        return self.role_arn.split(":")[4] if self.role_arn else None

    @property
    def secret(self) -> SecretStr | None:
        """The external id to assume the role with, wherever it was given."""
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
