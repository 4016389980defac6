"""The settings of an account: its role, its regions and its services."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.aws.role import AssumedRole, AssumedRoles, RoleOptions, check_chain
from monitor.lib.account_ids import ID_LENGTH
from monitor.schema.problems import problem, unexpected
from monitor.schema.selector import Location
from monitor.schema.types import Regions, RoleArn, Services, Text, check_unique

ALL_LINKED = "all"  # instead of a list of ids: all accounts that are linked to the monitoring account


def _ids_or_all(value: Any) -> Any:
    if isinstance(value, str) and value != ALL_LINKED:
        raise unexpected(f"a list of ids or the word {ALL_LINKED}", value)
    return (value,) if value == ALL_LINKED else value


def _account_id(value: Any) -> Any:
    """Return an id, or the word ALL_LINKED, as text.

    YAML reads an id without quotes as a number, which drops leading zeros.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    is_id = isinstance(text, str) and len(text) == ID_LENGTH and text.isascii() and text.isdigit()
    if not is_id and text != ALL_LINKED:
        raise unexpected("the 12 digits of an account's id, in quotes", value)
    return text


LinkedAccountIds = Annotated[
    tuple[Annotated[Text, BeforeValidator(_account_id)], ...],
    BeforeValidator(_ids_or_all),
    AfterValidator(check_unique),
    WithJsonSchema({"anyOf": [{"const": ALL_LINKED}, {"type": "array", "items": {"type": "string"}}]}),
]


class Account(RoleOptions):
    """One entry of `accounts`. An entry without keys is the account of the default AWS credential chain."""

    name: Text | None = Field(default=None, description="A short name for people; default: the account's id.")
    profile: Text | None = Field(
        default=None,
        description="Profile of the AWS configuration files whose credentials read this account, or assume "
        "its role; default: the credentials of the environment. Accounts in several partitions need a "
        "profile each.",
    )
    role_arn: RoleArn | None = Field(
        default=None,
        description="Role to assume; default: use the credentials of the profile or the environment.",
    )
    via: AssumedRoles = Field(
        default=(),
        description="Roles to assume before role_arn, in this order: ARNs, or mappings with role_arn, "
        "external_id and session_name. AWS limits the sessions of chained roles to one hour.",
    )
    regions: Regions = Field(
        default=(), description="Regions of this account to monitor; default: the top level's `regions`."
    )
    services: Services = Field(
        default=(), description="Services of this account to monitor; default: the top level's `services`."
    )
    linked_accounts: LinkedAccountIds = Field(
        default=(),
        description="Accounts whose metrics are read through this account, if it is a monitoring account of "
        "CloudWatch's cross-account observability: ids in quotes, or the word all for all linked accounts.",
    )

    def reads_linked(self, account_id: str) -> bool:
        """Return whether this monitoring account reads the metrics of an account that is linked to it."""
        return ALL_LINKED in self.linked_accounts or account_id in self.linked_accounts

    @property
    def id(self) -> str | None:
        """The 12-digit id in the role's ARN; None without a role, as only STS then knows the id."""
        return self.role_arn.split(":")[4] if self.role_arn else None

    @property
    def location(self) -> Location:
        """The account as a location; an unknown id or name is empty."""
        return Location(self.id or "", self.name or "")

    @property
    def roles(self) -> tuple[AssumedRole, ...]:
        """The roles to assume one after the other; the last role is `role_arn`. Empty without `role_arn`."""
        if not self.role_arn:
            return ()
        options = {name: getattr(self, name) for name in RoleOptions.model_fields}
        return (*self.via, AssumedRole.model_construct(role_arn=self.role_arn, **options))

    @model_validator(mode="after")
    def _check_role_and_links(self) -> Self:
        """Check that options of a role come with `role_arn`, and that the account is not linked to itself."""
        role_options = sorted(self.model_fields_set & {*RoleOptions.model_fields, "via"})
        if role_options and not self.role_arn:
            raise problem(f"expected role_arn beside {role_options[0]}, found none")
        check_chain(self.via, self.role_arn or "")
        if self.id and self.id in self.linked_accounts:
            raise problem(f"expected other accounts in linked_accounts, found {self.id}, the account itself")
        return self


class MemberAccount(Account):
    """An account of an organization, which has no entry of its own in `accounts`.

    Without a role, it is the account of Headroom's own credentials. account_id: its 12-digit id.
    """

    account_id: str

    @property
    def id(self) -> str:
        """The 12-digit id of the account."""
        return self.account_id


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
        "profile": "sandbox",
        "role_arn": "arn:aws:iam::111122223333:role/headroom",
        "external_id": "headroom-sandbox",
        "session_name": "headroom",
        "via": ["arn:aws:iam::999999999999:role/hub"],
    },
    {
        "name": "monitoring",
        "role_arn": "arn:aws:iam::444455556666:role/headroom",
        "linked_accounts": "all",
    },
]


def account_name(account: Account) -> str:
    """Return the account's name for messages: the configured name, or else its id, profile or `default`."""
    return account.name or account.id or account.profile or "default"
