"""Malformed answers to the calls of `counts.yaml`: each makes no more unknown than the counts of its call.

`FUZZ_ROUNDS=20000 pytest tests/collectors/service_quotas/test_count_mutations.py` tries more malformed
answers, and another FUZZ_SEED chooses others.
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

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "400"))  # malformed answers that are tried
SEED = os.environ.get("FUZZ_SEED", "")
ITEMS = "abc"  # each list has one item for each letter
# Each of these errors makes all counts of a group unknown.
EXPECTED_ERRORS = (ExpressionError, HeadroomError, ClientError, BotoCoreError)

# The CHANGES that add no items.
REMOVALS = {"left out", "null", "empty", "a text in place of a list"}

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
    """Return a text for a member of an answer; of a page token the empty text, which ends the list."""
    page_words = ("token", "marker", "next", "cursor", "position")
    return "" if any(word in name.lower() for word in page_words) else name or "x"


@cache
def answers_to(calls: tuple[Operation, ...]) -> Answers:
    """Return generated answers to calls, by client method."""
    answers = {}
    for service, operation in calls:
        shape: Shape | None = (
            SERVICE_MODELS.get_service_model(service).operation_model(operation).output_shape
        )
        answers[xform_name(operation)] = with_items(value_of_shape(shape, text_of)) if shape else {}
    return answers


async def counts_of(group: CountGroup, answers: Answers) -> Mapping[Any, Count | ExpressionError]:
    """Return the counts of a group from answers; no counts if the group fails with an expected error."""
    try:
        return await count(BudgetedCalls(FakeAws(malformed=True, **answers).scan, CallBudget(10**6)), group)
    except EXPECTED_ERRORS:
        return {}


async def test_most_counts_are_known_from_responses_generated_from_the_models() -> None:
    groups = count_groups()
    counts_per_group = [
        len(await counts_of(group, answers_to((*group.first_declaration.calls,))))
        for group in Random(SEED).sample(groups, min(len(groups), ROUNDS // 4))
    ]
    assert sum(map(bool, counts_per_group)) > 0.9 * len(counts_per_group)


async def test_a_malformed_answer_raises_no_unexpected_error_and_removals_increase_no_count() -> None:
    random, groups = Random(SEED), count_groups()
    for _ in range(ROUNDS):
        group = random.choice(groups)
        answers = answers_to((*group.first_declaration.calls,))
        method = random.choice([*answers])
        paths_and_values = [*values_within(answers[method])]
        if not paths_and_values:
            continue
        path, value = random.choice(paths_and_values)
        change = random.choice([name for name, (applies, _) in CHANGES.items() if applies(path, value)])
        (mutated,) = change_within(answers[method], path, CHANGES[change][1])
        results = await counts_of(group, {**answers, method: mutated})
        assert all(isinstance(result, Count | ExpressionError) for result in results.values())
        numbers = {quota: result.number for quota, result in results.items() if isinstance(result, Count)}
        assert all(number >= 0 and math.isfinite(number) for number in numbers.values()), (
            group,
            path,
            change,
        )
        if change in REMOVALS:
            results_before = await counts_of(group, answers)
            numbers_before = {
                quota: result.number for quota, result in results_before.items() if isinstance(result, Count)
            }
            increased = [
                quota for quota, number in numbers.items() if number > numbers_before.get(quota, math.inf)
            ]
            assert increased == [], (group, path, change)
