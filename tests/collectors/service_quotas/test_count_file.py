"""The counts that are declared: each operation, parameter and path exists in botocore's models."""

from collections.abc import Iterator

import pytest

from collectors.botocore_problems import items_type, operation_problems
from collectors.declaration import ListDeclaration, placeholders
from collectors.response_types import PathError, item_of, type_of
from collectors.service_quotas.count_file import CountCall, CountDeclaration, CountFile, read_counts
from monitor.lib.botocore_models import model_session
from rules.model_file import parse_model

SESSION = model_session()


def problems(call: CountCall, names: tuple[str, ...]) -> Iterator[str]:
    """Yield what contradicts botocore's models. names: of the parents above."""
    listed = ListDeclaration.model_validate(
        {"call": ".".join(call.call), "params": call.params, "items": call.items.text}
    )
    operation, found = operation_problems(SESSION, (), listed)
    yield from (text for _, text in found)
    if operation:
        try:
            item = item_of(items_type(operation, listed))
            if call.id:
                type_of(call.id.parsed, item)
            if isinstance(call, CountDeclaration) and call.lists:
                item_of(type_of(call.lists.parsed, item))
        except PathError as error:
            yield str(error)
    above = {"account_id", *names[: _depth(call)]}
    yield from (f"unknown {name}" for name in placeholders(call.params) if name not in above)
    if call.parent:
        yield from problems(call.parent, names)


def _depth(call: CountCall) -> int:
    return 1 + _depth(call.parent) if call.parent else 0


def test_every_count_fits_botocores_models() -> None:
    counts = read_counts()
    assert len(counts) > 1100
    found = [
        f"{quota.service} {quota.code}: {text}"
        for quota, one in counts.items()
        for text in problems(one, ("parent", "grandparent"))
    ]
    assert found == []


WRONG = {
    "an operation that does not exist": ("amplify.ListAps", "apps", {}, "no operation of amplify ListAps"),
    "a path that yields nothing": ("amplify.ListApps", "aps", {}, "aps"),
    "a path that is no list": ("amplify.ListApps", "nextToken", {}, "list"),
    "a missing parameter": ("amplify.ListBranches", "branches", {}, "missing the parameter appId"),
    "an unknown parameter": ("amplify.ListApps", "apps", {"app": "x"}, "no parameter app"),
    "a parent that is not there": (
        "amplify.ListBranches",
        "branches",
        {"appId": "{parent}"},
        "unknown parent",
    ),
}


@pytest.mark.parametrize(("call", "items", "params", "expected"), WRONG.values(), ids=WRONG)
def test_a_count_that_contradicts_the_models_is_reported(
    call: str, items: str, params: dict[str, str], expected: str
) -> None:
    listed = {"call": call, "items": items, "params": params}
    one = CountDeclaration.model_validate({"code": "L-00000001", "name": "x", **listed})
    assert any(expected in text for text in problems(one, ("parent", "grandparent"))), [
        *problems(one, ("parent", "grandparent"))
    ]


def test_a_count_within_items_needs_a_list() -> None:
    listed = {
        "call": "amplify.ListApps",
        "items": "apps",
        "lists": "name",
        "id": "appId",
        "count": "per_item",
    }
    one = CountDeclaration.model_validate({"code": "L-00000001", "name": "x", **listed})
    assert any("list" in text for text in problems(one, ()))


APPS = "amplify: [{{code: L-1BED97F3, name: A, call: amplify.ListApps, items: apps, {}}}]"
BAD_LINES = {
    "an unknown key": "amplify: [{code: L-1BED97F3, name: A, call: amplify.ListApps, items: apps, per: x}]",
    "no code": "amplify: [{name: A, call: amplify.ListApps, items: apps}]",
    "a code of another form": "amplify: [{code: L-1, name: A, call: amplify.ListApps, items: apps}]",
    "no path": "amplify: [{code: L-1BED97F3, name: A, call: amplify.ListApps, items: '['}]",
    "no list within the items": APPS.format("count: per_item"),
    "a list within items that are counted": APPS.format("lists: tags, id: appId"),
    "no parent": APPS.format("count: per_parent"),
    "a service twice": "amplify: []\namplify: []",
}


@pytest.mark.parametrize("text", BAD_LINES.values(), ids=BAD_LINES)
def test_a_line_that_is_wrong_is_named(text: str) -> None:
    file = parse_model(text.encode(), "counts.yaml", CountFile)
    assert file.model is None
    assert file.problems[0].startswith("counts.yaml:")
