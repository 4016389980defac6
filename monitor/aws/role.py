"""The settings of the roles to assume, each with its session name and external id."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from monitor.lib.partitions import partition_of_arn
from monitor.schema.problems import problem, unexpected
from monitor.schema.secrets import ExternalId, ExternalIdEnv, ExternalIdFile, given_secret
from monitor.schema.types import ConfigModel, RoleArn, Text

MAX_VIA_ROLES = 4  # roles of `via`, which are assumed one after the other before `role_arn`


def _checked_session_name(value: str) -> str:
    if not re.fullmatch(r"[\w+=,.@-]{2,64}", value, re.A):  # as in the model of sts:AssumeRole
        raise unexpected("2 to 64 letters, digits or +=,.@-_", value)
    return value


class RoleOptions(ConfigModel):
    """The options with which a role is assumed."""

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
    session_name: Annotated[Text, AfterValidator(_checked_session_name)] = Field(
        default="headroom",
        description="Name of the session, which CloudTrail shows; default: headroom.",
    )

    @property
    def external_id_secret(self) -> SecretStr | None:
        """The external id, from the one of the three keys that is set; None if no key is set."""
        return given_secret(self, "external_id")

    @model_validator(mode="after")
    def _at_most_one_external_id(self) -> Self:
        given_secret(self, "external_id")
        return self


class AssumedRole(RoleOptions):
    """A role to assume."""

    role_arn: RoleArn = Field(description="ARN of the role.")

    @property
    def account(self) -> str:
        """The 12-digit id of the role's account."""
        return self.role_arn.split(":")[4]


def _as_list(value: Any) -> Any:
    """Return roles as a list of mappings. value: a role or a list of roles, each as a mapping or an ARN."""
    items = list(value) if isinstance(value, list | tuple) else [value]
    return [{"role_arn": item} if isinstance(item, str) else item for item in items]


def _checked_roles(roles: tuple[AssumedRole, ...]) -> tuple[AssumedRole, ...]:
    if len(roles) > MAX_VIA_ROLES:
        raise problem(f"expected at most {MAX_VIA_ROLES} roles, found {len(roles)}")
    arns = [role.role_arn for role in roles]
    for arn in arns:
        if arns.count(arn) > 1:
            raise unexpected("each role once", arn)
    return roles


AssumedRoles = Annotated[
    tuple[AssumedRole, ...],
    BeforeValidator(
        _as_list, json_schema_input_type=RoleArn | AssumedRole | tuple[RoleArn | AssumedRole, ...]
    ),
    AfterValidator(_checked_roles),
]


def check_chain(via: tuple[AssumedRole, ...], role_arn: str) -> None:
    """Raise PydanticCustomError if a role cannot be assumed through the roles of `via`.

    The STS of a partition knows the roles of its own partition only.
    """
    for role in via:
        if role.role_arn == role_arn:
            raise problem("expected other roles in via than role_arn itself")
        if partition_of_arn(role.role_arn) != partition_of_arn(role_arn):
            raise problem("expected the roles of via in the partition of role_arn")
