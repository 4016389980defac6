"""The answers of AWS that a story file declares: responses, pages of responses, and errors."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from botocore.exceptions import ParamValidationError, UnknownServiceError
from botocore.model import OperationModel, StructureShape
from botocore.validate import validate_parameters
from moto.core.utils import get_service_model

from collectors.iam_actions import iam_action
from monitor.aws.pagination import Pagination, pagination_from_model
from monitor.demo.region import AwsResponseError
from monitor.lib.botocore_models import model_loader

KEY_PATTERN = re.compile(r"(?P<client>[a-z0-9-]+)\.(?P<operation>[A-Z][A-Za-z0-9]*)(\((?P<value>.+)\))?")
REPEAT = "$repeat"  # a key of a list item: how many times the item is repeated
COPY_NUMBER = "{number}"  # in the texts of a repeated item: the number of the copy, from 1
MAX_REPEAT = 1000
# The output of operations that return nothing.
EMPTY = StructureShape("Empty", {"type": "structure", "members": {}})


class AnswerKey(NamedTuple):
    """A call: `client.Operation`, or `client.Operation(value)`.

    value: the value of a parameter, or of an item of a parameter that is a list; empty matches every call.
    """

    client: str
    operation: str
    value: str = ""

    def __str__(self) -> str:
        call = f"{self.client}.{self.operation}"
        return f"{call}({self.value})" if self.value else call


class MissingAnswerError(AwsResponseError):
    """A call has no answer; it is denied. key: the call."""

    def __init__(self, key: AnswerKey, denial: AwsResponseError) -> None:
        super().__init__(denial.code, denial.message)
        self.key = key


class AnswerTable:
    """The answers of AWS in one region. unused: the keys of the answers that no call has received."""

    def __init__(self, answers: Mapping[AnswerKey, Any]) -> None:
        self._answers = {key: with_repeats(answer) for key, answer in answers.items()}
        self.unused = {*answers}

    @property
    def operations(self) -> set[tuple[str, str]]:
        """The operations that have answers, as client and name."""
        return {(key.client, key.operation) for key in self._answers}

    def respond(self, client: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the response to a call; if it has pages, the page whose token is in the parameters.

        Raises AwsResponseError for an error, and MissingAnswerError for a call that has no answer.
        """
        key = self._key(client, operation, params)
        if key is None:
            key = AnswerKey(client, operation, ", ".join(_values(params)))
            raise MissingAnswerError(key, aws_error("AccessDenied", client, operation))
        self.unused.discard(key)
        answer = self._answers[key]
        if isinstance(answer, str):
            raise aws_error(answer, client, operation)
        return _page(key, answer, params) if isinstance(answer, list) else answer

    def _key(self, client: str, operation: str, params: Mapping[str, Any]) -> AnswerKey | None:
        values = (*_values(params), "")
        return next(
            (key for value in values if (key := AnswerKey(client, operation, value)) in self._answers), None
        )


def parse_key(text: str) -> AnswerKey:
    """Parse the call of an answer. Raises ValueError for a call that botocore does not know."""
    if not (match := KEY_PATTERN.fullmatch(text)):
        raise ValueError(f"expected client.Operation or client.Operation(value), found {text!r}")
    key = AnswerKey(match["client"], match["operation"], match["value"] or "")
    operation_model(key)
    return key


def check_answer(key: AnswerKey, answer: Any) -> None:
    """Raise ValueError for an answer that the operation cannot return."""
    if isinstance(answer, list) and not pagination(key):
        raise ValueError("expected one response, as the operation has no pages")
    if not isinstance(answer, list | Mapping | str) or answer in ([], ""):
        raise ValueError("expected a response, a list of pages, or the code of an error")
    if isinstance(answer, str):
        return
    shape = operation_model(key).output_shape
    for page in answer if isinstance(answer, list) else [answer]:
        try:
            validate_parameters(with_repeats(page), shape or EMPTY)
        except ParamValidationError as error:
            # AWS itself returns numbers below the minimum of its model, such as 0 instead of at least 1.
            reasons = [line for line in str(error).splitlines()[1:] if "valid min value" not in line]
            if reasons:
                raise ValueError("; ".join(reasons)) from None


def operation_model(key: AnswerKey) -> OperationModel:
    """Return botocore's model of an operation. Raises ValueError if there is none."""
    try:
        service = get_service_model(key.client)
    except UnknownServiceError:
        raise ValueError(f"no client {key.client}") from None
    if key.operation not in service.operation_names:
        raise ValueError(f"no operation {key.operation} of {key.client}")
    model: OperationModel = service.operation_model(key.operation)
    return model


def pagination(key: AnswerKey) -> Pagination | None:
    """Return how the pages of an operation are requested.

    None if the operation has no pages, or if its token is not simply a member of the response.
    """
    paging = pagination_from_model(model_loader(), key.client, key.operation)
    return paging if paging and paging.output_token.isidentifier() else None


def with_repeats(answer: Any, number: int | None = None) -> Any:
    """Return an answer with each item of its lists as many times as its `$repeat` says.

    number: the number that replaces `{number}` in texts. Raises ValueError for an invalid `$repeat`.
    """
    if isinstance(answer, Mapping):
        return {name: with_repeats(value, number) for name, value in answer.items() if name != REPEAT}
    if isinstance(answer, list):
        return list(chain.from_iterable(_copies(item, number) for item in answer))
    return answer.replace(COPY_NUMBER, str(number)) if isinstance(answer, str) and number else answer


def aws_error(code: str, client: str, operation: str) -> AwsResponseError:
    """Return the error of a call by its code; a denial names the IAM action, as AWS does."""
    action = iam_action(client, operation)
    error = AwsResponseError(code, f"User is not authorized to perform: {action} with an explicit deny")
    return error if error.is_denial else AwsResponseError(code, f"{operation} failed")


def _copies(item: Any, number: int | None) -> Iterable[Any]:
    times = item.get(REPEAT) if isinstance(item, Mapping) else None
    if times is None:
        return [with_repeats(item, number)]
    if isinstance(times, bool) or not isinstance(times, int) or not 0 < times <= MAX_REPEAT:
        raise ValueError(f"expected {REPEAT} from 1 to {MAX_REPEAT:,}, found {times!r}")
    return (with_repeats(item, copy) for copy in range(1, times + 1))


def _values(params: Mapping[str, Any]) -> Iterator[str]:
    """Yield the values of parameters, and the items of lists among them, as texts."""
    for value in params.values():
        yield from map(str, value if isinstance(value, list) else [value])


def _page(key: AnswerKey, pages: list[Mapping[str, Any]], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the page that a token requests, with the token of the next page."""
    paging = pagination(key)
    assert paging  # see `check_answer`
    number = int(params.get(paging.input_token, 0))
    if number + 1 == len(pages):
        return pages[number]
    more_results = {paging.more_results: True} if paging.more_results else {}
    return {**pages[number], paging.output_token: f"{number + 1:04}", **more_results}
