"""All kinds of receiver, as the configuration names them."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from monitor.config_errors import Problem, problem, problems_of, shown, suggestion
from monitor.notifiers.alertmanager import Alertmanager
from monitor.notifiers.apprise import Apprise
from monitor.notifiers.email import Email
from monitor.notifiers.pagerduty import PagerDuty
from monitor.notifiers.receiver import Base
from monitor.notifiers.slack import Slack
from monitor.notifiers.sns import Sns
from monitor.notifiers.teams import Teams
from monitor.notifiers.webhook import Webhook

KINDS: tuple[type[Base], ...] = (Webhook, Alertmanager, Slack, PagerDuty, Teams, Sns, Email, Apprise)
BY_TYPE = {kind.model_fields["type"].default: kind for kind in KINDS}


def _by_type(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Chooses by `type` itself, so that problems are told at the place in the file, without the type."""
    if isinstance(value, Base):
        return handler(value)
    if not isinstance(value, dict):
        raise problem("expected a mapping with a name and a type (value not shown)")
    kind, known = value.get("type"), ", ".join(BY_TYPE)
    if kind is None:
        raise problems_of("receiver", [Problem(("type",), f"expected one of {known}, found none")])
    if not isinstance(kind, str) or kind not in BY_TYPE:
        meant = suggestion(kind, BY_TYPE) if isinstance(kind, str) else ""
        said = f"expected one of {known}, found {shown(kind)}{meant}"
        raise problems_of("receiver", [Problem(("type",), said)])
    return BY_TYPE[kind].model_validate(value, context=info.context)


AnyReceiver = Webhook | Alertmanager | Slack | PagerDuty | Teams | Sns | Email | Apprise
Receiver = Annotated[AnyReceiver, Field(discriminator="type"), WrapValidator(_by_type)]


def repeated(receivers: Sequence[Base]) -> Iterator[Problem]:
    """Routes tell receivers by their names, so each has its own."""
    first: dict[str, int] = {}
    for index, receiver in enumerate(receivers):
        if first.setdefault(receiver.name, index) != index:
            said = f"expected another name than in receivers[{first[receiver.name]}], found the same"
            yield Problem(("receivers", index, "name"), said)
