"""The settings of an organization: one entry of `accounts` watches all of its accounts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.aws.account import Account, MemberAccount
from monitor.aws.role import AssumedRoles, RoleOptions, check_chain
from monitor.lib.account_ids import ID_LENGTH
from monitor.schema.problems import unexpected
from monitor.schema.selector import Location
from monitor.schema.types import Regions, Services, Text

MAX_ROLE_NAME_LENGTH = 512  # characters, with the path


def _true(value: Any) -> Any:
    if value is not True:
        raise unexpected("true", value)
    return value


def _account_pattern(value: Any) -> Any:
    """Reject numbers that are no id: YAML drops the zeros that a number begins with."""
    if isinstance(value, int) and not isinstance(value, bool) and len(str(value)) != ID_LENGTH:
        raise unexpected("the 12 digits of an account's id, in quotes, or a pattern of names", value)
    return value


def _role_name(value: str) -> str:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    is_name = re.fullmatch(r"([!-.0-~]{1,510}/)*[\w+=,.@-]{1,64}", value, re.A)
    if not is_name or len(value) > MAX_ROLE_NAME_LENGTH or value.startswith("arn:"):
        raise unexpected("the name of a role such as headroom, or its path and name", value)
    return value


def _unit(value: str) -> str:
    # As in the model of organizations:ListAccountsForParent.
    if not re.fullmatch(r"r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}", value):
        raise unexpected("the id of an organizational unit such as ou-ab12-34cd56ef", value)
    return value


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


TagPatterns = Annotated[tuple[Text, ...], BeforeValidator(_as_tuple), Field(min_length=1)]
AccountPattern = Annotated[Text, BeforeValidator(_account_pattern)]


class Organization(RoleOptions):
    """The entry of `accounts` for an AWS organization; an account with its own entry keeps that entry."""

    organization: Annotated[Literal[True], BeforeValidator(_true)] = Field(
        description="true: watch all active accounts of the organization."
    )
    name: Text | None = Field(
        default=None,
        description="A short name of the organization for people, if there are several organizations.",
    )
    profile: Text | None = Field(
        default=None,
        description="Profile of the AWS configuration files whose credentials list and read the accounts.",
    )
    role_name: Annotated[Text, AfterValidator(_role_name)] = Field(
        default="headroom",
        description="Role to assume in every account, with its path if it has one; default: headroom. The "
        "account of Headroom's own credentials is read with those credentials.",
    )
    via: AssumedRoles = Field(
        default=(), description="Roles to assume before `role_name`, as for a single account."
    )
    management_role: AssumedRoles = Field(
        default=(),
        description="Role of the management account or of a delegated administrator that lists the "
        "accounts; or several roles, assumed one after the other. Default: Headroom's own credentials.",
    )
    organizational_units: tuple[Annotated[Text, AfterValidator(_unit)], ...] = Field(
        default=(),
        description="Watch only the accounts in these organizational units and in the units below them.",
    )
    include: tuple[AccountPattern, ...] = Field(
        default=(), description="Watch only these accounts: ids, or patterns of names."
    )
    exclude: tuple[AccountPattern, ...] = Field(
        default=(), description="Accounts not to watch: ids, or patterns of names."
    )
    tags: Mapping[Text, TagPatterns] = Field(
        default={},
        description="Watch only accounts that have all of these tags in the organization: for each key a "
        "value or a pattern, or a list of values and patterns. Needs one more call for each account every "
        "six hours.",
    )
    max_accounts: Annotated[int, Field(strict=True)] = Field(
        default=1000,
        ge=1,
        le=10_000,
        description="Highest number of accounts to watch; 1 to 10000. Headroom reports when there are more "
        "accounts.",
    )
    regions: Regions = Field(
        default=(), description="Regions of the accounts to monitor; default: the top level's `regions`."
    )
    services: Services = Field(
        default=(), description="Services of the accounts to monitor; default: the top level's `services`."
    )

    @property
    def title(self) -> str:
        """The name of the organization in messages."""
        return f"organization {self.name}" if self.name else "organization"

    @property
    def location(self) -> Location:
        """The location of the accounts: empty, as the configuration does not name them."""
        return Location("")

    @property
    def lister(self) -> Account:
        """The account whose credentials list the organization's accounts."""
        settings: dict[str, Any] = {"regions": self.regions, "profile": self.profile}
        if self.management_role:
            *earlier_roles, last = self.management_role
            settings |= {"role_arn": last.role_arn, "via": tuple(earlier_roles)}
            settings |= {option: getattr(last, option) for option in RoleOptions.model_fields}
        return Account.model_construct(name=self.title, **settings)

    def includes(self, account_id: str, name: str, tags: Mapping[str, str] | None = None) -> bool:
        """Return whether an account is to be watched. Without `tags`, the account's tags do not matter."""
        names = account_id, name
        is_in_include = not self.include or _fits_any(self.include, names)
        is_tagged = tags is None or all(_has_tag(tags, key, values) for key, values in self.tags.items())
        return is_in_include and is_tagged and not _fits_any(self.exclude, names)

    def unmatched_patterns(
        self, accounts: Iterable[tuple[str, str]], tags: Sequence[Mapping[str, str]]
    ) -> Iterator[str]:
        """Yield a sentence for each pattern that matches none of these accounts, given as ids and names.

        tags: the tags of each account whose tags were read.
        """
        ids_and_names = list(accounts)
        for key, values in self.tags.items():
            if tags and not any(_has_tag(account_tags, key, values) for account_tags in tags):
                yield f"tags.{key} of {self.title} matches no account."
        for key in ("include", "exclude"):
            for number, pattern in enumerate(getattr(self, key)):
                if not any(_fits_any([pattern], names) for names in ids_and_names):
                    yield f"{key}[{number}] of {self.title} matches no account: {pattern!r}."

    def member(self, account_id: str, name: str, partition: str, *, is_own: bool) -> MemberAccount:
        """Return an account of the organization. is_own: whether Headroom's own credentials belong to it."""
        settings: dict[str, Any] = {"account_id": account_id, "name": name}
        settings |= {"regions": self.regions, "services": self.services, "profile": self.profile}
        if not is_own:
            settings |= {"role_arn": f"arn:{partition}:iam::{account_id}:role/{self.role_name}"}
            settings |= {option: getattr(self, option) for option in (*RoleOptions.model_fields, "via")}
        return MemberAccount.model_construct(**settings)

    @model_validator(mode="after")
    def _check_management_roles(self) -> Self:
        if self.management_role:
            *earlier_roles, last = self.management_role
            check_chain(tuple(earlier_roles), last.role_arn)
        return self


AnyEntry = Account | Organization  # an entry of `accounts`


def _has_tag(tags: Mapping[str, str], key: str, values: Iterable[str]) -> bool:
    return key in tags and _fits_any(values, [tags[key]])


def _fits_any(patterns: Iterable[str], names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


EXAMPLE_ORGANIZATION = {
    "organization": True,
    "name": "example",
    "profile": "example",
    "role_name": "headroom",
    "external_id_file": "external-id",
    "management_role": "arn:aws:iam::999999999999:role/headroom-accounts",
    "organizational_units": ["ou-ab12-34cd56ef"],
    "include": ["prod-*", "staging-*"],
    "exclude": ["123456789012", "sandbox-*"],
    "tags": {"environment": ["production", "staging"]},
    "max_accounts": 500,
}
