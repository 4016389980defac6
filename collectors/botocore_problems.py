"""Checks a declaration against botocore's models: operations, parameters, paths into responses."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.model import ListShape, MapShape, OperationModel, Shape, StringShape, StructureShape
from botocore.session import Session

from collectors.declaration import (
    ACCOUNT_KIND,
    CallDeclaration,
    Declaration,
    ListDeclaration,
    ResourceDeclaration,
    placeholders,
)
from collectors.page_tokens import token_members
from collectors.response_types import PathError, Type, item_of, type_of
from monitor.lib.botocore_models import model_session
from rules.model_file import FileProblem
from rules.problem_text import suggestion
from rules.strict_yaml import DocumentPath

PAGE_TOKEN = re.compile(r"(next_?)?(page_?)?(token|marker)|next_?page|position", re.IGNORECASE)

# Types that a parameter in YAML may have, by the type name of botocore's shape. A template is a str.
SCALARS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("string", "character", "timestamp", "blob"), (str,)),
    **dict.fromkeys(("integer", "long"), (int,)),
    **dict.fromkeys(("float", "double"), (int, float)),
    "boolean": (bool,),
}


def botocore_problems(declaration: Declaration) -> list[FileProblem]:
    """Return the contradictions between a declaration and botocore's models, each with its place.

    Loads the models of all clients in use, which takes time. Expects a declaration in which
    `collectors.declaration_problems` finds no problem.
    """
    return list(_Checker(declaration).problems())


class _Checker:
    """Checks one declaration. Stores the types of facts, because a fact may list a resource's parts."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._session = model_session()
        self._fact_types: dict[tuple[str, str], Type] = {}  # by kind and name of the fact

    def problems(self) -> Iterator[FileProblem]:
        kinds = sorted(self._declaration.resources, key=lambda kind: len(self._declaration.lineage(kind)))
        for kind in kinds:  # parents first
            yield from self._kind_problems(kind, self._declaration.resources[kind])

    def _kind_problems(self, kind: str, declared: ResourceDeclaration) -> Iterator[FileProblem]:
        where: DocumentPath = ("resources", kind)
        if kind != ACCOUNT_KIND and declared.list:
            yield from self._item_problems(kind, declared, declared.list)
        for index, call in enumerate(declared.calls):
            place = (*where, "calls", index)
            operation, problems = operation_problems(self._session, place, call)
            yield from problems
            if operation:
                yield from self._page_problems(place, call)
                yield from self._fact_problems(place, kind, call.facts, partial(_response, operation, call))
                yield from self._match_problems(place, operation, call)

    def _item_problems(
        self, kind: str, declared: ResourceDeclaration, listed: ListDeclaration
    ) -> Iterator[FileProblem]:
        where: DocumentPath = ("resources", kind)
        try:
            if listed.fact:
                item = item_of(self._fact_types.get((declared.parent or "", listed.fact)))
            else:
                operation, problems = operation_problems(self._session, (*where, "list"), listed)
                yield from problems
                if not operation:
                    return
                item = item_of(items_type(operation, listed))
        except PathError as error:
            yield (*where, "list", "fact" if listed.fact else "items"), str(error)
            return
        paths = {"where": declared.where, "id": declared.id, "name": declared.name, "tags": declared.tags}
        yield from self._path_problems(where, {name: path for name, path in paths.items() if path}, item)
        yield from self._fact_problems(where, kind, declared.facts, lambda: item)

    def _fact_problems(
        self, where: DocumentPath, kind: str, facts: Mapping[str, Any], find_source: Callable[[], Type]
    ) -> Iterator[FileProblem]:
        """Yield a problem for each fact that the source's type lacks; store the types of the other facts."""
        try:
            source = find_source()
        except PathError as error:
            yield (*where, "items"), str(error)
            return
        for name, path in facts.items():
            try:
                self._fact_types[kind, name] = type_of(path.parsed, source)
            except PathError as error:
                yield (*where, "facts", name), str(error)

    def _match_problems(
        self, where: DocumentPath, operation: OperationModel, call: CallDeclaration
    ) -> Iterator[FileProblem]:
        """Yield a problem if `match` would find no item of a batch; other problems were already reported."""
        with suppress(PathError):
            item = _response(operation, call)
            yield from self._path_problems(where, {"match": call.match} if call.match else {}, item)

    def _page_problems(self, where: DocumentPath, call: CallDeclaration) -> Iterator[FileProblem]:
        """Yield a problem for each fact that would be read from the first page of a response alone."""
        client, name = call.call
        try:
            keys = self._session.get_paginator_model(client).get_paginator(name)["result_key"]
        except (DataNotFoundError, ValueError):
            return
        paged_members = {str(key).partition(".")[0] for key in (keys if isinstance(keys, list) else [keys])}
        for fact, path in call.facts.items():
            if not call.items and not paged_members.isdisjoint(path.fields):
                yield (
                    (*where, "facts", fact),
                    "expected the key items in the call, because AWS returns its list in pages",
                )

    def _path_problems(
        self, where: DocumentPath, paths: Mapping[str, Any], item: Type
    ) -> Iterator[FileProblem]:
        for name, path in paths.items():
            try:
                type_of(path.parsed, item)
            except PathError as error:
                yield (*where, name), str(error)


def operation_problems(
    session: Session, where: DocumentPath, call: CallDeclaration | ListDeclaration
) -> tuple[OperationModel | None, list[FileProblem]]:
    """Return the model of a call's operation, None if botocore has none, and the problems of the call."""
    client, name = call.call or ("", "")
    try:
        service = session.get_service_model(client)
    except UnknownServiceError:
        return None, [
            _unknown_name_problem((*where, "call"), "client", client, session.get_available_services())
        ]
    if name not in service.operation_names:
        return None, [
            _unknown_name_problem((*where, "call"), f"operation of {client}", name, service.operation_names)
        ]
    operation = service.operation_model(name)
    return operation, [
        *_call_problems(where, call, operation.input_shape),
        *_token_problems(session, (*where, "call"), call, operation),
        *_error_problems(where, call, operation),
    ]


def _token_problems(
    session: Session, where: DocumentPath, call: CallDeclaration | ListDeclaration, operation: OperationModel
) -> Iterator[FileProblem]:
    """Yield a problem where it is not known how the further pages of a list are requested."""
    client, name = call.call or ("", "")
    parameters = operation.input_shape.members if operation.input_shape else {}
    returned = [*_members(operation.output_shape)]
    tokens = [member for member in returned if PAGE_TOKEN.fullmatch(member.rpartition(".")[2])]
    has_pages = tokens and any(map(PAGE_TOKEN.fullmatch, parameters))
    if not call.items or not has_pages or token_members(parameters, returned):
        return
    try:
        session.get_paginator_model(client).get_paginator(name)
    except (DataNotFoundError, ValueError):
        yield where, f"botocore knows no paginator for {name}, which returns {tokens[0]}"


def _error_problems(
    where: DocumentPath, call: CallDeclaration | ListDeclaration, operation: OperationModel
) -> Iterator[FileProblem]:
    """Yield a problem for each error code that the operation does not have, if its model names errors."""
    known = {str(getattr(shape, "error_code", shape.name)) for shape in operation.error_shapes}
    for code in call.none_when if isinstance(call, CallDeclaration) and known else ():
        if code not in known:
            yield _unknown_name_problem((*where, "none_when"), f"error of {operation.name}", code, known)


def _members(shape: StructureShape | None) -> Iterator[str]:
    """Yield the names of a response's members and of their members, such as `FunctionList.NextMarker`."""
    for name, member in (shape.members if shape else {}).items():
        yield name
        yield from (f"{name}.{inner}" for inner in getattr(member, "members", ()))


def _response(operation: OperationModel, call: CallDeclaration) -> Type:
    """Return the type that facts are taken from: a response, a list of all items, or an item of a batch."""
    if not call.items:
        return operation.output_shape
    items = items_type(operation, call)
    return item_of(items) if call.batch else items


def items_type(operation: OperationModel, call: CallDeclaration | ListDeclaration) -> Type:
    """Return the type of the list of all items. Raises PathError where `items` is no path to a list."""
    assert call.items
    items = type_of(call.items.parsed, operation.output_shape)
    item_of(items)  # raises the error
    return items


def _call_problems(
    where: DocumentPath, call: CallDeclaration | ListDeclaration, shape: StructureShape | None
) -> Iterator[FileProblem]:
    """Yield the problems of the parameters of a call."""
    members = shape.members if shape else {}
    for place, given in (("params", call.params), ("first", call.first)):
        for name, value in given.items():
            if name in members:
                yield from _param_problems((*where, place, name), value, members[name])
            else:
                yield _unknown_name_problem((*where, place, name), "parameter", name, members)
    required = shape.required_members if shape else []
    missing = [name for name in required if name not in call.params and name not in call.first]
    yield from (((*where, "params"), f"missing the parameter {name}") for name in missing)


def _param_problems(where: DocumentPath, given: Any, shape: Shape) -> Iterator[FileProblem]:
    """Yield the problems of a value at any depth: unknown and missing members, and values of a wrong type."""
    if isinstance(shape, StructureShape) and isinstance(given, Mapping):
        for name in given:
            if name in shape.members:
                yield from _param_problems((*where, name), given[name], shape.members[name])
            else:
                yield _unknown_name_problem((*where, name), "parameter", name, shape.members)
        missing = [name for name in shape.required_members if name not in given]
        yield from ((where, f"missing the parameter {name}") for name in missing)
    elif isinstance(shape, ListShape) and isinstance(given, list):
        for index, item in enumerate(given):
            yield from _param_problems((*where, index), item, shape.member)
    elif isinstance(shape, MapShape) and isinstance(given, Mapping):
        for name, value in given.items():
            yield from _param_problems((*where, name), value, shape.value)
    else:
        yield from _scalar_problems(where, given, shape)


def _scalar_problems(where: DocumentPath, given: Any, shape: Shape) -> Iterator[FileProblem]:
    types = SCALARS.get(shape.type_name, ())
    if not isinstance(given, types) or (isinstance(given, bool) and bool not in types):
        yield where, f"expected {shape.type_name}, found {given!r}"
    known = [str(value) for value in shape.enum] if isinstance(shape, StringShape) else []
    if known and given not in known and not [*placeholders(given)]:
        yield _unknown_name_problem(where, "value", str(given), known)


def _unknown_name_problem(where: DocumentPath, noun: str, name: str, known: Iterable[str]) -> FileProblem:
    return where, f"no {noun} {name or 'without a name'}{suggestion(name, known)}"
