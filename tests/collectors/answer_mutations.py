"""Changes of answers in the tables of services: what is missing, null, repeated or of another type."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from collectors.declaration import ListDeclaration
from tests.collectors.declared_cases import DECLARATIONS, Case

Path = tuple[str | int, ...]  # the members and indexes that lead to a value of an answer
Change = Callable[[Any], list[Any]]  # what stands in the place of a value; nothing: it is left out


def in_other_case(value: Any) -> Any:
    """A copy of a value whose texts are in capital letters where they were not, and the other way round."""
    if isinstance(value, Mapping):
        return {name: in_other_case(one) for name, one in value.items()}
    if isinstance(value, list):
        return [in_other_case(one) for one in value]
    return value.swapcase() if isinstance(value, str) else value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_member(path: Path, _: Any) -> bool:
    return isinstance(path[-1], str)


def is_item(path: Path, _: Any) -> bool:
    return isinstance(path[-1], int)


# By what it makes of a value: where that is possible, and how.
CHANGES: Mapping[str, tuple[Callable[[Path, Any], bool], Change]] = {
    "left out": (lambda path, value: True, lambda value: []),
    "null": (lambda path, value: True, lambda value: [None]),
    "empty": (lambda path, value: isinstance(value, str | list | dict), lambda value: [type(value)()]),
    "a number as text": (lambda path, value: is_number(value), lambda value: [str(value)]),
    "text for a number": (lambda path, value: is_number(value), lambda value: ["many"]),
    "a number without an end": (lambda path, value: is_number(value), lambda value: [float("inf")]),
    "minus one": (lambda path, value: is_number(value), lambda value: [-1]),
    "a number for text": (lambda path, value: isinstance(value, str), lambda value: [7]),
    "text without UTF-8": (lambda path, value: isinstance(value, str), lambda value: [f"{value}\udcff"]),
    "text for a list": (lambda path, value: isinstance(value, list), lambda value: ["some"]),
    "an unknown member": (
        lambda path, value: isinstance(value, dict),
        lambda value: [{**value, "AddedYesterday": {"Text": "added"}}],
    ),
    "repeated": (is_item, lambda value: [value, value]),
    "repeated in another case": (is_item, lambda value: [value, in_other_case(value)]),
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one value in an answer of a case."""

    case: Case
    key: str
    path: Path
    change: str

    def __str__(self) -> str:
        return f"{self.case}: {self.key} {'.'.join(map(str, self.path))}: {self.change}"

    @property
    def mutated(self) -> Case:
        """The case with the change."""
        (answer,) = changed(self.case.answers[self.key], self.path, CHANGES[self.change][1])
        return with_answer(self.case, self.key, answer)

    @property
    def adds(self) -> bool:
        """True if the change adds an item."""
        return self.change.startswith("repeated")

    @property
    def without_item(self) -> Case:
        """The case without the item that the change touches.

        Where that is no item of a list: without all that the call lists; with the call denied where it
        describes one resource.
        """
        answer = self.case.answers[self.key]
        first = 1 if isinstance(answer, list) else 0  # after the number of the page
        ends = [number for number in range(first, len(self.path)) if isinstance(self.path[number], int)]
        if not lists_resources(self.case.service, self.key):
            return with_answer(self.case, self.key, "AccessDenied")
        if not ends:
            return with_answer(self.case, self.key, {})
        (answer,) = changed(answer, self.path[: ends[0] + 1], lambda value: [])
        return with_answer(self.case, self.key, answer)


def lists_resources(service: str, key: str) -> bool:
    """Return whether the answer to a call describes many resources."""
    operation = tuple(key.partition("(")[0].split("."))
    calls = [call for _, call in DECLARATIONS[service].calls() if call.call == operation]
    return any(isinstance(call, ListDeclaration) or call.batch for call in calls)


def with_answer(case: Case, key: str, answer: Any) -> Case:
    return replace(case, answers={**case.answers, key: answer})


def changed(value: Any, path: Path, change: Change) -> list[Any]:
    """Return the values that replace a value, in which the one at a path is changed."""
    if not path:
        return change(value)
    first, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        members = {
            name: changed(one, rest, change) if name == first else [one] for name, one in value.items()
        }
        return [{name: one for name, found in members.items() for one in found}]
    parts = [changed(old, rest, change) if number == first else [old] for number, old in enumerate(value)]
    return [[one for found in parts for one in found]]


def values(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value within an answer, with its path."""
    inner: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    for step, one in inner:
        yield (*path, step), one
        if isinstance(one, Mapping | list):
            yield from values(one, (*path, step))


def mutations_of_item(items: Sequence[Any], number: int, rounds: int, seed: str) -> Iterator[tuple[str, Any]]:
    """Yield what a list is after each of some changes of one item, by chance, each kind of them as often.

    Each with the words that tell where it is changed and how.
    """
    chance = Random(seed)
    places = [(path, value) for path, value in values(items) if path[0] == number]
    possible = {name: [one for one in places if applies(*one)] for name, (applies, _) in CHANGES.items()}
    for _ in range(rounds):
        name = chance.choice([name for name, found in possible.items() if found])
        path, _ = chance.choice(possible[name])
        (mutated,) = changed(items, path, CHANGES[name][1])
        yield f"{'.'.join(map(str, path))}: {name}", mutated


def mutations(cases: Sequence[Case], seed: str) -> Iterator[Mutation]:
    """Yield changes of the answers of cases without an end, by chance, each kind of them as often."""
    chance = Random(seed)
    places = [
        (case, key, path, value)
        for case in cases
        for key, answer in case.answers.items()
        if not isinstance(answer, str)
        for path, value in values(answer)
        if len(path) > isinstance(answer, list)  # a page is changed within
    ]
    possible = {
        name: found
        for name, (applies, _) in CHANGES.items()
        if (found := [one for one in places if applies(one[2], one[3])])
    }
    while possible:
        change = chance.choice(list(possible))
        case, key, path, _ = chance.choice(possible[change])
        yield Mutation(case, key, path, change)
