"""All types of receivers, as the configuration names them."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from monitor.notifiers.alertmanager import Alertmanager
from monitor.notifiers.apprise import Apprise
from monitor.notifiers.email import Email
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.slack import Slack
from monitor.notifiers.sns import Sns
from monitor.notifiers.teams import Teams
from monitor.notifiers.webhook import Webhook
from monitor.schema.problems import Problem, problem, shown_value, to_validation_error
from rules.problem_text import suggestion

RECEIVER_TYPES: tuple[type[BaseReceiver], ...] = (
    Webhook,
    Alertmanager,
    Slack,
    PagerDuty,
    Teams,
    Sns,
    Email,
    Apprise,
)


def _type_name(model: type[BaseReceiver]) -> str:
    """Return the value of `type` that selects a class. Raises TypeError if the class declares none."""
    field = model.model_fields.get("type")
    if field is None or not isinstance(field.default, str):
        raise TypeError(f'{model.__name__}: expected a field such as type: Literal["slack"] = "slack"')
    return field.default


RECEIVER_BY_TYPE: dict[str, type[BaseReceiver]] = {_type_name(model): model for model in RECEIVER_TYPES}


def _validate_by_type(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate with the class that `type` names. Pydantic's errors of a union do not name the wrong key."""
    if isinstance(value, BaseReceiver):
        return handler(value)
    if not isinstance(value, dict):
        raise problem("expected a mapping with a name and a type (value not shown)")
    type_name, type_names = value.get("type"), ", ".join(RECEIVER_BY_TYPE)
    if type_name is None:
        raise to_validation_error(
            "receiver", [Problem(("type",), f"expected one of {type_names}, found none")]
        )
    if not isinstance(type_name, str) or type_name not in RECEIVER_BY_TYPE:
        hint = suggestion(type_name, RECEIVER_BY_TYPE) if isinstance(type_name, str) else ""
        sentence = f"expected one of {type_names}, found {shown_value(type_name)}{hint}"
        raise to_validation_error("receiver", [Problem(("type",), sentence)])
    return RECEIVER_BY_TYPE[type_name].model_validate(value, context=info.context)


if TYPE_CHECKING:
    AnyReceiver = BaseReceiver
else:
    AnyReceiver = reduce(or_, RECEIVER_TYPES)  # a union, for the JSON schema
Receiver = Annotated[AnyReceiver, Field(discriminator="type"), WrapValidator(_validate_by_type)]
