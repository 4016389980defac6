"""Changes of AWS's answers in the services' test tables: values left out, null, repeated, of another type."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from collectors.declaration import ListDeclaration
from tests.collectors.declared_cases import DECLARATIONS, Case

ValuePath = tuple[str | int, ...]  # the members and indexes that lead to a value of an answer
Change = Callable[[Any], list[Any]]  # returns the values that replace a value; an empty list removes it


def in_other_case(value: Any) -> Any:
    """Return a copy of a value in which upper and lower case are swapped in all texts."""
    if isinstance(value, Mapping):
        return {name: in_other_case(member) for name, member in value.items()}
    if isinstance(value, list):
        return [in_other_case(item) for item in value]
    return value.swapcase() if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_member(path: ValuePath, _: Any) -> bool:
    return isinstance(path[-1], str)


def is_item(path: ValuePath, _: Any) -> bool:
    return isinstance(path[-1], int)


# By the name of each change: a function that tells whether it applies to a value at a path, and the change.
CHANGES: Mapping[str, tuple[Callable[[ValuePath, Any], bool], Change]] = {
    "left out": (lambda path, value: True, lambda value: []),
    "null": (lambda path, value: True, lambda value: [None]),
    "empty": (lambda path, value: isinstance(value, str | list | dict), lambda value: [type(value)()]),
    "a number as text": (lambda path, value: is_number(value), lambda value: [str(value)]),
    "a text in place of a number": (lambda path, value: is_number(value), lambda value: ["many"]),
    "infinity": (lambda path, value: is_number(value), lambda value: [float("inf")]),
    "minus one": (lambda path, value: is_number(value), lambda value: [-1]),
    "a number in place of a text": (lambda path, value: isinstance(value, str), lambda value: [7]),
    "a text that UTF-8 cannot encode": (
        lambda path, value: isinstance(value, str),
        lambda value: [f"{value}\udcff"],
    ),
    "a text in place of a list": (lambda path, value: isinstance(value, list), lambda value: ["some"]),
    "an unknown member": (
        lambda path, value: isinstance(value, dict),
        lambda value: [{**value, "AddedYesterday": {"Text": "added"}}],
    ),
    "repeated": (is_item, lambda value: [value, value]),
    "repeated in another case": (is_item, lambda value: [value, in_other_case(value)]),
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one value in an answer of a case.

    key: the key of the answer in `case.answers`. path: the path to the value. change: a key of CHANGES.
    """

    case: Case
    key: str
    path: ValuePath
    change: str

    def __str__(self) -> str:
        return f"{self.case}: {self.key} {'.'.join(map(str, self.path))}: {self.change}"

    @property
    def mutated_case(self) -> Case:
        """The case with the change."""
        (answer,) = change_within(self.case.answers[self.key], self.path, CHANGES[self.change][1])
        return with_answer(self.case, self.key, answer)

    @property
    def adds_item(self) -> bool:
        """True if the change adds an item."""
        return self.change.startswith("repeated")

    @property
    def case_without_item(self) -> Case:
        """The case without the list item that holds the changed value.

        If no list item holds the value, the answer is empty. If the call describes a single resource, the
        call is denied.
        """
        answer = self.case.answers[self.key]
        after_page = 1 if isinstance(answer, list) else 0  # the first step chooses a page
        item_steps = [n for n in range(after_page, len(self.path)) if isinstance(self.path[n], int)]
        if not lists_resources(self.case.service, self.key):
            return with_answer(self.case, self.key, "AccessDenied")
        if not item_steps:
            return with_answer(self.case, self.key, {})
        (answer,) = change_within(answer, self.path[: item_steps[0] + 1], lambda value: [])
        return with_answer(self.case, self.key, answer)


def lists_resources(service: str, key: str) -> bool:
    """Return whether the answer to a call describes many resources."""
    operation = tuple(key.partition("(")[0].split("."))
    calls = [call for _, call in DECLARATIONS[service].calls() if call.call == operation]
    return any(isinstance(call, ListDeclaration) or call.batch for call in calls)


def with_answer(case: Case, key: str, answer: Any) -> Case:
    """Return the case with another answer under a key."""
    return replace(case, answers={**case.answers, key: answer})


def change_within(value: Any, path: ValuePath, change: Change) -> list[Any]:
    """Return the values that replace `value` once the value at a path within it is changed."""
    if not path:
        return change(value)
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        members = {
            name: change_within(member, rest, change) if name == first else [member]
            for name, member in value.items()
        }
        return [{name: member for name, replacements in members.items() for member in replacements}]
    items = [
        change_within(item, rest, change) if index == first else [item] for index, item in enumerate(value)
    ]
    return [[item for replacements in items for item in replacements]]


def values_within(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    """Yield every value within an answer, with its path."""
    children: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    for step, child in children:
        yield (*path, step), child
        if isinstance(child, Mapping | list):
            yield from values_within(child, (*path, step))


def mutations_of_item(items: Sequence[Any], index: int, rounds: int, seed: str) -> Iterator[tuple[str, Any]]:
    """Yield copies of a list, each with one random change of one item, and a text that describes the change.

    index: of the item that is changed. rounds: how many copies. Each kind of change is equally likely.
    """
    random = Random(seed)
    places = [(path, value) for path, value in values_within(items) if path[0] == index]
    places_by_change = {
        name: [place for place in places if applies(*place)] for name, (applies, _) in CHANGES.items()
    }
    for _ in range(rounds):
        name = random.choice([name for name, applicable in places_by_change.items() if applicable])
        path, _ = random.choice(places_by_change[name])
        (changed_items,) = change_within(items, path, CHANGES[name][1])
        yield f"{'.'.join(map(str, path))}: {name}", changed_items


def mutations(cases: Sequence[Case], seed: str) -> Iterator[Mutation]:
    """Yield random mutations of the cases, endlessly. Each kind of change is equally likely."""
    random = Random(seed)
    places = [
        (case, key, path, value)
        for case in cases
        for key, answer in case.answers.items()
        if not isinstance(answer, str)
        for path, value in values_within(answer)
        if not (isinstance(answer, list) and len(path) == 1)  # a page as a whole is not changed
    ]
    places_by_change = {
        name: applicable
        for name, (applies, _) in CHANGES.items()
        if (applicable := [place for place in places if applies(*place[2:])])
    }
    while places_by_change:
        change = random.choice(list(places_by_change))
        case, key, path, _ = random.choice(places_by_change[change])
        yield Mutation(case, key, path, change)
