"""The settings of an account: its role, its regions and its services."""

from typing import Self

from pydantic import Field, model_validator

from monitor.aws.role import AssumedRole, AssumedRoles, RoleOptions, check_chain
from monitor.schema.problems import problem
from monitor.schema.types import Regions, Role, Services, Text


class Account(RoleOptions):
    """One entry of `accounts`; without any key, the account of the default AWS credential chain."""

    name: Text | None = Field(default=None, description="A short name for people; default: the account's id.")
    role_arn: Role | None = Field(
        default=None,
        description="Role to assume; default: use the credentials of the environment without a role.",
    )
    via: AssumedRoles = Field(
        default=(),
        description="Roles to assume before role_arn, in this order: ARNs, or mappings with role_arn, "
        "external_id and session_name. AWS limits the sessions of chained roles to one hour.",
    )
    regions: Regions = Field(default=(), description="Regions of this account; default: the top level's.")
    services: Services = Field(default=(), description="Services of this account; default: the top level's.")

    @property
    def id(self) -> str | None:
        """The 12-digit id in the role's ARN; None without a role, when only STS knows it."""
        return self.role_arn.split(":")[4] if self.role_arn else None

    @property
    def roles(self) -> tuple[AssumedRole, ...]:
        """The roles to assume one after the other; the last one is the account's own. Empty without one."""
        if not self.role_arn:
            return ()
        options = {name: getattr(self, name) for name in RoleOptions.model_fields}
        return (*self.via, AssumedRole.model_construct(role_arn=self.role_arn, **options))

    @model_validator(mode="after")
    def _has_a_role(self) -> Self:
        """Check that what belongs to a role is beside one."""
        given = sorted(self.model_fields_set & {*RoleOptions.model_fields, "via"})
        if given and not self.role_arn:
            raise problem(f"expected role_arn beside {given[0]}, found none")
        check_chain(self.via, self.role_arn or "")
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
        "session_name": "headroom",
        "via": ["arn:aws:iam::999999999999:role/hub"],
    },
]


def account_name(account: Account) -> str:
    """The name of an account in messages: the configured one, else its id, else `default`."""
    return account.name or account.id or "default"
