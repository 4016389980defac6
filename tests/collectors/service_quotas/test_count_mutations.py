"""Malformed answers to the calls of `counts.yaml`: each makes at most the counts of its call unknown.

`FUZZ_ROUNDS=20000 pytest tests/collectors/service_quotas/test_count_mutations.py` tries more changes;
another FUZZ_SEED tries different ones.
"""

import math
import os
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import Shape

from collectors.declaration import Operation
from collectors.expression import ExpressionError
from collectors.service_quotas.call_budget import BudgetedCalls, CallBudget
from collectors.service_quotas.collector import count_groups
from collectors.service_quotas.counting import Count, CountGroup, count
from monitor.lib.errors import HeadroomError
from tests.answer_shapes import value_of_shape
from tests.collectors.answer_mutations import CHANGES, change_within, values_within
from tests.fake_aws import SERVICE_MODELS, FakeAws

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "400"))  # changes of answers
SEED = os.environ.get("FUZZ_SEED", "")
ITEMS = "abc"  # each list has one item for each letter
EXPECTED_ERRORS = (ExpressionError, HeadroomError, ClientError, BotoCoreError)  # of a whole group

REMOVALS = {"left out", "null", "empty", "text for a list"}  # changes that add no items

Answers = Mapping[str, Any]


def with_items(value: Any) -> Any:
    """Return an answer in which each list has an item for each of ITEMS, with distinct texts."""
    if isinstance(value, list):
        return [with_suffix(with_items(item), letter) for item in value for letter in ITEMS]
    return {key: with_items(member) for key, member in value.items()} if isinstance(value, dict) else value


def with_suffix(value: Any, suffix: str) -> Any:
    """Return a value whose texts end in a suffix."""
    if isinstance(value, dict):
        return {key: with_suffix(member, suffix) for key, member in value.items()}
    if isinstance(value, list):
        return [with_suffix(item, suffix) for item in value]
    return f"{value}{suffix}" if isinstance(value, str) else value


def text_of(name: str) -> str:
    """Return a text for a member of an answer; an empty text for a page token."""
    page_words = ("token", "marker", "next", "cursor", "position")
    return "" if any(word in name.lower() for word in page_words) else name or "x"


@cache
def answers_to(calls: tuple[Operation, ...]) -> Answers:
    """Return generated answers to calls, by client method."""
    found = {}
    for service, operation in calls:
        shape: Shape | None = (
            SERVICE_MODELS.get_service_model(service).operation_model(operation).output_shape
        )
        found[xform_name(operation)] = with_items(value_of_shape(shape, text_of)) if shape else {}
    return found


async def counted(group: CountGroup, answers: Answers) -> Mapping[Any, Count | ExpressionError]:
    """Return the counts of a group from answers; none where the group fails with an expected error."""
    try:
        return await count(BudgetedCalls(FakeAws(malformed=True, **answers).scan, CallBudget(10**6)), group)
    except EXPECTED_ERRORS:
        return {}


async def test_most_counts_are_known_from_responses_generated_from_the_models() -> None:
    groups = count_groups()
    numbers = [
        len(await counted(group, answers_to((*group.sample.calls,))))
        for group in Random(SEED).sample(groups, min(len(groups), ROUNDS // 4))
    ]
    assert sum(map(bool, numbers)) > 0.9 * len(numbers)


async def test_a_malformed_answer_makes_counts_unknown_or_different_and_raises_no_other_error() -> None:
    chance, groups = Random(SEED), count_groups()
    for _ in range(ROUNDS):
        group = chance.choice(groups)
        answers = answers_to((*group.sample.calls,))
        method = chance.choice([*answers])
        places = [*values_within(answers[method])]
        if not places:
            continue
        path, value = chance.choice(places)
        change = chance.choice([name for name, (applies, _) in CHANGES.items() if applies(path, value)])
        (mutated,) = change_within(answers[method], path, CHANGES[change][1])
        found = await counted(group, {**answers, method: mutated})
        assert all(isinstance(result, Count | ExpressionError) for result in found.values())
        numbers = {quota: result.number for quota, result in found.items() if isinstance(result, Count)}
        assert all(number >= 0 and math.isfinite(number) for number in numbers.values()), (
            group,
            path,
            change,
        )
        if change in REMOVALS:
            before = await counted(group, answers)
            numbers_before = {
                quota: result.number for quota, result in before.items() if isinstance(result, Count)
            }
            more = [
                quota for quota, number in numbers.items() if number > numbers_before.get(quota, math.inf)
            ]
            assert more == [], (group, path, change)
