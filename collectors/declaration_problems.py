"""Finds the problems of a declaration that its pydantic model cannot find.

The problems are unknown names, names with two meanings, cycles of kinds, incomplete lists and unused metrics.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from collectors.base import ServiceScope
from collectors.declaration import (
    ACCOUNT_KIND,
    BOUGHT_FIELDS,
    CELL_NAMES,
    ID,
    Declaration,
    ListDeclaration,
    ResourceDeclaration,
    SignalDeclaration,
    batch_parameter,
    needed_names,
)
from collectors.expression import Expression
from collectors.scan_groups import CycleError, listing_order
from rules.command_template import shell_words
from rules.model_file import FileProblem
from rules.problem_text import suggestion
from rules.strict_yaml import DocumentPath

MAX_KINDS = 100  # of resources; bounds the recursion over parents
# Text that looks like a placeholder; `{Key=a,Value=b}` and JSON in a command do not.
NAME_IN_BRACES = re.compile(r"\{\s*([A-Za-z_][\w.-]*)\s*\}")
# The service of an ARN must be known, as tags are requested by the service and the type of resource.
ARN = re.compile(r"arn:\{partition\}:[a-z0-9-]+:[^:]*:[^:]*:.")
# The fields of a signal that are evaluated once for each inventory, without values of metrics.
INVENTORY_FIELDS = (
    "when",
    "limit",
    "deliberate",
    "unobservable.when",
    "bound.when",
    *(f"bought.{field}" for field in BOUGHT_FIELDS),
)
# The sections whose names expressions may use, and what a name in each section is.
_SECTIONS = {"metrics": "a metric", "tables": "a table", "resources": "a kind of resource"}


def problems_of(declaration: Declaration) -> list[FileProblem]:
    """Return the problems of a declaration, each with its place.

    If kinds of resources have problems, no other problems are returned: the names in scope depend on the
    kinds, so that a wrong kind would be reported again for each name.
    """
    problems = list(_kind_problems(declaration))
    if not problems:
        problems += _cycle_problems(declaration)
    if problems:
        return problems
    return [
        *_name_problems(declaration),
        *(problem for kind in declaration.resources for problem in _resource_problems(declaration, kind)),
        *(problem for name in declaration.signals for problem in _signal_problems(declaration, name)),
        *_unused_metric_problems(declaration),
    ]


def _kind_problems(declaration: Declaration) -> Iterator[FileProblem]:
    """Yield references to unknown kinds, kinds without a usable list, and wrong keys of the account."""
    if declaration.region and declaration.scope is not ServiceScope.GLOBAL:
        yield ("region",), "expected scope: global, because other services are read in each region"
    if len(declaration.resources) > MAX_KINDS:
        yield ("resources",), f"expected at most {MAX_KINDS} kinds, found {len(declaration.resources):,}"
        return
    kinds = declaration.resources.keys() - {ACCOUNT_KIND}
    for kind, declared in declaration.resources.items():
        where: DocumentPath = ("resources", kind)
        if declared.parent:
            yield from _unknown_names((*where, "parent"), "a kind of resource", [declared.parent], kinds)
        yield from _unknown_names((*where, "refers"), "a kind of resource", declared.refers, kinds)
        if kind == ACCOUNT_KIND:
            wrong_keys = {*declared.model_fields_set} - {"calls", "values", "dimensions"}
            yield from (((*where, key), "the whole account has no such key") for key in sorted(wrong_keys))
        else:
            yield from _list_problems(where, declared)
        is_referred_to = any(kind in other.refers for other in declaration.resources.values())
        if declared.foreign and (declared.parent or not is_referred_to):
            yield (*where, "foreign"), "expected a kind without a parent that another kind refers to"
    for name, signal in declaration.signals.items():
        known = {*kinds, ACCOUNT_KIND}
        yield from _unknown_names(
            ("signals", name, "resource"), "a kind of resource", [signal.resource], known
        )


def _list_problems(where: DocumentPath, declared: ResourceDeclaration) -> Iterator[FileProblem]:
    listed = declared.list
    if listed is None:
        yield (*where, "list"), "missing"
    elif listed.fact:
        if listed.call or listed.items or listed.params or listed.first or listed.region:
            yield (*where, "list"), "expected either a fact or a call with items"
        if not declared.parent:
            yield (*where, "list", "fact"), "expected a parent, which has the fact"
    elif not (listed.call and listed.items):
        yield (*where, "list"), "expected a call with items, or a fact of the parent"


def _cycle_problems(declaration: Declaration) -> Iterator[FileProblem]:
    try:
        listing_order(declaration)
    except CycleError as error:
        declared = declaration.resources[error.kind]
        yield ("resources", error.kind, "parent" if declared.parent == error.needed else "refers"), str(error)


def _name_problems(declaration: Declaration) -> Iterator[FileProblem]:
    """Yield names that have two meanings in one scope."""
    meanings = {
        name: meaning for section, meaning in _SECTIONS.items() for name in getattr(declaration, section)
    }
    meanings |= dict.fromkeys(CELL_NAMES, "a value of every cell")
    for section, meaning in _SECTIONS.items():
        for name in getattr(declaration, section):
            if meanings[name] != meaning:
                yield (section, name), f"expected another name: it is {meanings[name]}"
    for kind, declared in declaration.resources.items():
        earlier_names = {ID, *_outer_fact_names(declaration, kind)}
        for place, name in _fact_places(declared):
            where = ("resources", kind, *place, name)
            if name in meanings:
                yield where, f"expected another name of the fact: it is {meanings[name]}"
            elif name in earlier_names:
                yield where, "expected another name of the fact: another fact has it"
            earlier_names.add(name)


def _fact_places(declared: ResourceDeclaration) -> Iterator[tuple[DocumentPath, str]]:
    """Yield the facts and values of a kind, each with the place of its mapping."""
    yield from ((("facts",), name) for name in declared.facts)
    for index, call in enumerate(declared.calls):
        yield from ((("calls", index, "facts"), name) for name in call.facts)
    yield from ((("values",), name) for name in declared.values)


def _outer_kinds(declaration: Declaration, kind: str) -> list[str]:
    """Return the other kinds whose facts are in scope at a kind: the account, and the kind's ancestors."""
    account = [ACCOUNT_KIND] if ACCOUNT_KIND in declaration.resources and kind != ACCOUNT_KIND else []
    return [*account, *declaration.lineage(kind)[:-1]]


def _fact_names(declaration: Declaration, kind: str) -> list[str]:
    return list(declaration.resources[kind].fact_names()) if kind in declaration.resources else []


def _outer_fact_names(declaration: Declaration, kind: str) -> set[str]:
    """Return the names of the facts and values of the other kinds that are in scope at a kind."""
    return {name for other in _outer_kinds(declaration, kind) for name in _fact_names(declaration, other)}


def _fact_names_in_scope(declaration: Declaration, kind: str) -> set[str]:
    return {*_outer_fact_names(declaration, kind), *_fact_names(declaration, kind)}


def _resource_problems(declaration: Declaration, kind: str) -> Iterator[FileProblem]:
    """Yield the unknown names in the calls, values, templates and references of a kind."""
    declared, where = declaration.resources[kind], ("resources", kind)
    outer_kinds = declaration.lineage(kind)[:-1]
    outer_names = {*CELL_NAMES, *outer_kinds, *_outer_fact_names(declaration, kind)}
    if declared.list:
        yield from _template_problems((*where, "list"), declared.list, outer_names)
        if declared.list.fact and declared.parent:
            facts = _fact_names(declaration, declared.parent)
            yield from _unknown_names(
                (*where, "list", "fact"), "a fact of the parent", [declared.list.fact], facts
            )
    known_names = {*outer_names, kind, *declared.facts} - {ACCOUNT_KIND}
    for index, call in enumerate(declared.calls):
        yield from _template_problems((*where, "calls", index), call, known_names)
        if call.when:
            known = {*known_names, *declaration.tables}
            yield from _unknown_names((*where, "calls", index, "when"), "a fact", call.when.names, known)
            yield from _attribute_problems(declaration, (*where, "calls", index, "when"), call.when)
        known_names |= {*call.facts}
    yield from _batch_problems(kind, declared, {*outer_names, kind, *declared.facts})
    for name, value in declared.values.items():
        known = {*known_names, *declaration.tables}
        yield from _unknown_names((*where, "values", name), "a fact or table", value.names, known)
        yield from _attribute_problems(declaration, (*where, "values", name), value)
        known_names.add(name)
    yield from _template_names((*where, "dimensions"), declared.dimensions, known_names)
    arn_names = {*CELL_NAMES, *declaration.lineage(kind)}
    yield from _template_names((*where, "arn"), declared.arn or "", arn_names)
    if declared.arn and not ARN.match(declared.arn):
        yield (*where, "arn"), f"expected arn:{{partition}}:SERVICE:..., found {declared.arn}"
    own_facts = _fact_names(declaration, kind)
    for other in declared.refers:
        if declaration.resources[other].parent:
            yield (
                (*where, "refers", other),
                "expected a kind without a parent, because ids of parts may repeat",
            )
    yield from _unknown_names((*where, "refers"), "a fact", declared.refers.values(), own_facts)
    for field in ("created", "zone"):
        name = getattr(declared, field)
        yield from _unknown_names((*where, field), "a fact", [name] if name else [], own_facts)


def _batch_problems(kind: str, declared: ResourceDeclaration, known: set[str]) -> Iterator[FileProblem]:
    """Yield problems of calls for several resources.

    known: the names that a batch call may use. Facts of other calls are not among them, because a batch call
    is made first.
    """
    for index, call in enumerate(declared.calls):
        where: DocumentPath = ("resources", kind, "calls", index)
        if not call.batch:
            if call.match:
                yield (*where, "match"), "expected the key batch, too: match finds a resource in a batch"
            continue
        if kind == ACCOUNT_KIND:
            yield (*where, "batch"), "expected a kind of resource, of which there are several"
        if not (call.items and call.match):
            yield where, "expected items and match, because the call is for several resources"
        for field in ("first", "every", "none_when"):
            if getattr(call, field):
                yield (*where, field), "not possible beside batch"
        try:
            batch_parameter(call)
        except ValueError as error:
            yield (*where, "params"), str(error)
        expected = "a fact of the item, because the call is for several resources"
        yield from _unknown_names(where, expected, needed_names(call), known)


def _template_problems(where: DocumentPath, call: Any, known: set[str]) -> Iterator[FileProblem]:
    yield from _template_names((*where, "params"), call.params, known)
    yield from _template_names((*where, "first"), call.first, known)
    if isinstance(call, ListDeclaration) and call.fact:
        return
    if call.first and not call.items:
        yield (*where, "first"), "expected items, because only lists have a first page"


def _template_names(where: DocumentPath, template: Any, known: Iterable[str]) -> Iterator[FileProblem]:
    yield from _unknown_names(where, "a known placeholder", dict.fromkeys(_names_in_braces(template)), known)


def _names_in_braces(template: Any) -> Iterator[str]:
    """Yield the names of what looks like placeholders in a template, or in the templates within a value."""
    if isinstance(template, str):
        yield from NAME_IN_BRACES.findall(template)
    elif isinstance(template, Mapping | list):
        for value in template.values() if isinstance(template, Mapping) else template:
            yield from _names_in_braces(value)


def _signal_problems(declaration: Declaration, name: str) -> Iterator[FileProblem]:
    """Yield the unknown names in the expressions and commands of a signal, and a missing usage."""
    signal, where = declaration.signals[name], ("signals", name)
    facts = _fact_names_in_scope(declaration, signal.resource)
    kinds = declaration.resources.keys() - {ACCOUNT_KIND}
    names = {*CELL_NAMES, *facts, *kinds, *declaration.tables, *declaration.metrics}
    for field, expression in signal.formulas:
        yield from _unknown_names((*where, field), "a fact, metric, kind or table", expression.names, names)
        yield from _attribute_problems(declaration, (*where, field), expression)
        yield from _one_or_several_problems(declaration, (*where, field), signal.resource, expression)
        if field in INVENTORY_FIELDS:
            for metric in sorted(_metrics_in(declaration, expression)):
                yield (*where, *field.split(".")), f"expected facts alone, found the metric {metric}"
    for metric, kind in sorted(_metric_owners(declaration, signal)):
        yield from _dimension_problems(declaration, name, metric, kind)
    if signal.saturated and signal.throttled:
        yield (*where, "saturated"), "expected either saturated or throttled"
    never_observable = signal.unobservable and not signal.unobservable.when
    only_bounded = signal.upper_bound and not signal.judged
    if not signal.usage and not never_observable and not only_bounded:
        yield where, "expected a usage, `unobservable` without `when`, or `upper_bound` with `judged: false`"
    for field in ("unobservable", "bound"):
        if reason := getattr(signal, field):
            known = {*CELL_NAMES, *facts, *declaration.lineage(signal.resource)}
            yield from _template_names((*where, field, "enable"), reason.enable or "", known)
            yield from _command_problems((*where, field, "enable"), reason.enable or "")


def _command_problems(where: DocumentPath, command: str) -> Iterator[FileProblem]:
    try:
        shell_words(command)
    except ValueError as error:
        yield where, f"expected a shell command: {error}"


def _metrics_in(declaration: Declaration, expression: Expression) -> set[str]:
    return {*expression.names, *(name for _, name in expression.attributes)} & declaration.metrics.keys()


def _metric_owners(declaration: Declaration, signal: SignalDeclaration) -> set[tuple[str, str]]:
    """Return the metrics of a signal, each with the kind of resource whose metric it is."""
    formulas = [expression for _, expression in signal.formulas]
    own_names = {(name, signal.resource) for formula in formulas for name in formula.names}
    attributes = {attribute for formula in formulas for attribute in formula.attributes}
    names_of_others = {(name, kind) for kind, name in attributes if kind in declaration.resources}
    return {(name, kind) for name, kind in own_names | names_of_others if name in declaration.metrics}


def _attribute_problems(
    declaration: Declaration, where: DocumentPath, expression: Expression
) -> Iterator[FileProblem]:
    for kind, fact in sorted(expression.attributes):
        yield from _unknown_names(where, "a kind of resource", [kind], declaration.resources)
        if kind in declaration.resources:
            known = [ID, *_fact_names(declaration, kind), *declaration.metrics]
            yield from _unknown_names(where, f"a fact of {kind}", [fact], known)


def _one_or_several_problems(
    declaration: Declaration, where: DocumentPath, kind_of_signal: str, expression: Expression
) -> Iterator[FileProblem]:
    """Yield a problem for each kind that is used as a list but stands for one resource, or vice versa."""
    own = declaration.resources.get(kind_of_signal)
    kinds_of_one = {*declaration.lineage(kind_of_signal), *(own.refers if own else ())}
    for kind in sorted(expression.single_names & declaration.resources.keys() - kinds_of_one):
        yield where, f"expected one {kind}, found several: use sum(one.FACT for one in {kind})"
    for kind in sorted(expression.list_names & kinds_of_one):
        yield where, f"expected several, found one {kind}: use {kind}.FACT"


def _dimension_problems(
    declaration: Declaration, signal: str, metric: str, kind: str
) -> Iterator[FileProblem]:
    """Yield problems of a metric's dimensions: unknown placeholders, and no dimensions for a resource.

    signal: the name of the signal that uses the metric. kind: the kind of the resource that has the metric.
    """
    templates: Mapping[str, str] | None = declaration.metrics[metric].dimensions
    if templates is None and kind != ACCOUNT_KIND and not declaration.resources[kind].dimensions:
        yield ("signals", signal), f"expected dimensions of {kind}, or of the metric {metric}"
    if templates is not None:
        known = {*CELL_NAMES, *declaration.lineage(kind), *_fact_names_in_scope(declaration, kind)}
        yield from _template_names(("metrics", metric, "dimensions"), templates, known)


def _unused_metric_problems(declaration: Declaration) -> Iterator[FileProblem]:
    formulas = [formula for signal in declaration.signals.values() for _, formula in signal.formulas]
    used = {name for formula in formulas for name in _metrics_in(declaration, formula)}
    for name in sorted(declaration.metrics.keys() - used):
        yield ("metrics", name), "expected a metric that a signal uses"


def _unknown_names(
    where: DocumentPath, expected: str, names: Iterable[str], known: Iterable[str]
) -> Iterator[FileProblem]:
    """Yield a problem for each name that is not known, with the nearest known name."""
    known = set(known)
    for name in sorted(names):
        if name not in known:
            yield where, f"expected {expected}, found {name}{suggestion(name, known)}"
