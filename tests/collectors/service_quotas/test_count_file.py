"""The declared counts: each operation, parameter and path exists in botocore's models."""

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
    """Yield how a call contradicts botocore's models. names: the placeholders of parents, closest first."""
    list_declaration = ListDeclaration.model_validate(
        {"call": ".".join(call.call), "params": call.params, "items": call.items.text}
    )
    operation, located_problems = operation_problems(SESSION, (), list_declaration)
    yield from (text for _, text in located_problems)
    if operation:
        try:
            item = item_of(items_type(operation, list_declaration))
            if call.id:
                type_of(call.id.parsed, item)
            if isinstance(call, CountDeclaration) and call.list_in_item:
                item_of(type_of(call.list_in_item.parsed, item))
        except PathError as error:
            yield str(error)
    known_names = {"account_id", *names[: _number_of_parents(call)]}
    yield from (f"unknown {name}" for name in placeholders(call.params) if name not in known_names)
    if call.parent:
        yield from problems(call.parent, names)


def _number_of_parents(call: CountCall) -> int:
    return 1 + _number_of_parents(call.parent) if call.parent else 0


def test_no_declared_count_contradicts_botocores_models() -> None:
    counts = read_counts()
    assert len(counts) > 1100
    all_problems = [
        f"{quota.service} {quota.code}: {text}"
        for quota, declaration in counts.items()
        for text in problems(declaration, ("parent", "grandparent"))
    ]
    assert all_problems == []


# By the mistake: operation, items and params of the declaration, and a part of the expected problem.
CONTRADICTIONS = {
    "an operation that does not exist": ("amplify.ListAps", "apps", {}, "no operation of amplify ListAps"),
    "a path to an unknown member": ("amplify.ListApps", "aps", {}, "aps"),
    "a path to a text": ("amplify.ListApps", "nextToken", {}, "list"),
    "a missing parameter": ("amplify.ListBranches", "branches", {}, "missing the parameter appId"),
    "an unknown parameter": ("amplify.ListApps", "apps", {"app": "x"}, "no parameter app"),
    "a placeholder without a parent": (
        "amplify.ListBranches",
        "branches",
        {"appId": "{parent}"},
        "unknown parent",
    ),
}


@pytest.mark.parametrize(("call", "items", "params", "expected"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_count_that_contradicts_the_models_is_reported(
    call: str, items: str, params: dict[str, str], expected: str
) -> None:
    keys = {"call": call, "items": items, "params": params}
    declaration = CountDeclaration.model_validate({"code": "L-00000001", "name": "x", **keys})
    texts = [*problems(declaration, ("parent", "grandparent"))]
    assert any(expected in text for text in texts), texts


def test_a_path_of_lists_within_items_that_leads_to_a_text_is_reported() -> None:
    keys = {
        "call": "amplify.ListApps",
        "items": "apps",
        "list_in_item": "name",
        "id": "appId",
        "count": "per_item",
    }
    declaration = CountDeclaration.model_validate({"code": "L-00000001", "name": "x", **keys})
    assert any("list" in text for text in problems(declaration, ()))


APPS = "amplify: [{{code: L-1BED97F3, name: A, call: amplify.ListApps, items: apps, {}}}]"
INVALID_FILES = {
    "an unknown key": "amplify: [{code: L-1BED97F3, name: A, call: amplify.ListApps, items: apps, per: x}]",
    "no code": "amplify: [{name: A, call: amplify.ListApps, items: apps}]",
    "a malformed code": "amplify: [{code: L-1, name: A, call: amplify.ListApps, items: apps}]",
    "an invalid path": "amplify: [{code: L-1BED97F3, name: A, call: amplify.ListApps, items: '['}]",
    "per_item without lists and id": APPS.format("count: per_item"),
    "lists and id without per_item": APPS.format("lists: tags, id: appId"),
    "per_parent without a parent": APPS.format("count: per_parent"),
    "a service declared twice": "amplify: []\namplify: []",
}


@pytest.mark.parametrize("text", INVALID_FILES.values(), ids=INVALID_FILES)
def test_the_problem_of_an_invalid_file_names_the_file(text: str) -> None:
    file = parse_model(text.encode(), "counts.yaml", CountFile)
    assert file.model is None
    assert file.problems[0].startswith("counts.yaml:")
