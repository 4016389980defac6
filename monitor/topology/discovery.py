"""Makes request paths of links between resources, as the file that describes them has them."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from collectors.base import GLOBAL_REGION
from monitor.aws.cell import Cell
from monitor.topology.arns import Identity, PathLink, PathNode
from monitor.topology.link_readers import READERS
from monitor.topology.link_scan import LinkScan
from rules.hops import hop_kinds
from rules.path_file import MAX_HOPS, MAX_NAME_LENGTH, MAX_PATHS

HEADER = """\
# Request paths that AWS tells, proposed by `headroom paths discover`. Keep those that matter, and name the
# file in `path_files` of the configuration. AWS does not tell what functions and instances call: add their
# tables, buckets, queues and keys by hand.
"""
NOT_IN_NAMES = re.compile(r"[^\w .:@+-]+")

Targets = Mapping[Identity, Sequence[PathNode]]


class FoundLinks(NamedTuple):
    """The links of all cells, and what could not be read, in sentences."""

    links: Sequence[PathLink]
    failures: Sequence[str]


class ProposedPath(NamedTuple):
    """A path from an entrance. hops: each after those before it. before: the numbers of those, by hop.

    notes: what was left out, in sentences.
    """

    name: str
    hops: Sequence[PathNode]
    before: Sequence[Sequence[int]]
    notes: Sequence[str]


async def find_links(cells: Iterable[tuple[Cell, Collection[str]]]) -> FoundLinks:
    """Read the links in cells, each with the services that are monitored there."""
    scans = await asyncio.gather(*(_scan(cell, services) for cell, services in cells))
    return FoundLinks(
        [*dict.fromkeys(link for scan in scans for link in scan.links)],
        [*dict.fromkeys(sentence for scan in scans for sentence in scan.failures)],
    )


async def _scan(cell: Cell, services: Collection[str]) -> LinkScan:
    scan = LinkScan(cell)
    readers = [one for one in READERS if one.service in services and one.scope is cell.scope]
    await asyncio.gather(*(reader.read(scan) for reader in readers))
    return scan


def propose_paths(links: Sequence[PathLink]) -> list[ProposedPath]:
    """Return a path from each resource that nothing leads to and whose units are counted."""
    named = _named(links)
    targets = defaultdict[Identity, list[PathNode]](list)
    for source, target in links:
        if target.identity not in [one.identity for one in targets[source.identity]]:
            targets[source.identity].append(named[target.identity])
    reached = {link.target.identity for link in links}
    entrances = [node for identity, node in named.items() if identity not in reached]
    taken: set[str] = set()
    return [
        _path(node, targets, taken)
        for node in sorted(entrances)
        if targets.get(node.identity) and hop_kinds()[node.service].flow
    ]


def _named(links: Iterable[PathLink]) -> Mapping[Identity, PathNode]:
    """Return each resource once, with its name if any link tells it."""
    found: dict[Identity, PathNode] = {}
    for node in (node for link in links for node in link):
        if node.identity not in found or node.name:
            found[node.identity] = node
    return found


def _path(entrance: PathNode, targets: Targets, taken: set[str]) -> ProposedPath:
    """Return the path of what follows an entrance. taken: the names of other paths."""
    order, notes = [entrance], list[str]()
    before: dict[Identity, list[Identity]] = {entrance.identity: []}
    for node in order:  # which grows
        for target in targets.get(node.identity, ()):
            known = before.get(target.identity)
            if known is None and len(order) >= MAX_HOPS:
                notes.append(f"{node.resource} leads on to {target.service} {target.resource}")
            elif known is None:
                before[target.identity] = [node.identity]
                order.append(target)
            elif _leads_to(target.identity, node.identity, before):
                notes.append(f"{target.service} {target.resource} leads to {node.resource}, and back")
            else:
                known.append(node.identity)
    hops = _sorted(order, before)
    places = {node.identity: place for place, node in enumerate(hops)}
    return ProposedPath(
        _path_name(entrance, taken),
        hops,
        [sorted(places[one] for one in before[node.identity]) for node in hops],
        notes,
    )


def _leads_to(
    first: Identity,
    last: Identity,
    before: Mapping[Identity, Sequence[Identity]],
) -> bool:
    """Return whether one hop is another one, or before it."""
    waiting, seen = [last], {last}
    while waiting:
        one = waiting.pop()
        if one == first:
            return True
        further = [other for other in before[one] if other not in seen]
        seen.update(further)
        waiting += further
    return False


def _sorted(
    order: Sequence[PathNode],
    before: Mapping[Identity, Sequence[Identity]],
) -> list[PathNode]:
    """Return the hops so that each follows those before it."""
    placed: dict[Identity, PathNode] = {}
    waiting = [*order]
    while waiting:
        ready = [one for one in waiting if all(other in placed for other in before[one.identity])]
        placed |= {one.identity: one for one in ready}
        waiting = [one for one in waiting if one.identity not in placed]
    return [*placed.values()]


def _path_name(entrance: PathNode, taken: set[str]) -> str:
    """Return a name that no other path has."""
    wanted = NOT_IN_NAMES.sub("-", entrance.name or entrance.resource).strip("-. ")
    base = (wanted or entrance.service)[: MAX_NAME_LENGTH - 4]
    base = base if re.match(r"\w", base) else f"x{base}"[: MAX_NAME_LENGTH - 4]
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base} {number}"
    taken.add(name)
    return name


def as_yaml(paths: Sequence[ProposedPath], accounts: Collection[str]) -> str:
    """Return the file that describes paths. accounts: those that were read; one alone need not be named."""
    lines = [HEADER + "paths:" + ("" if paths else " []")]
    for path in paths[:MAX_PATHS]:
        lines += _path_lines(path, with_account=len({*accounts}) > 1)
    if left_out := len(paths) - MAX_PATHS:
        lines += [f"# {left_out} more paths are left out"] if left_out > 0 else []
    return "\n".join([*lines, ""])


def _path_lines(path: ProposedPath, *, with_account: bool) -> Iterator[str]:
    entrance = path.hops[0]
    yield f"  - name: {_flow(path.name)}"
    if with_account:
        yield f"    account: {_flow(entrance.account)}"
    if entrance.region != GLOBAL_REGION:
        yield f"    region: {entrance.region}"
    yield "    hops:"
    names = _hop_names(path.hops)
    for number, node in enumerate(path.hops):
        fields: dict[str, Any] = {"service": node.service, "resource": node.shown_resource}
        if names[number] != node.shown_resource:
            fields["name"] = names[number]
        if with_account and node.account != entrance.account:
            fields["account"] = node.account
        if node.region not in (entrance.region, GLOBAL_REGION):
            fields["region"] = node.region
        if [*path.before[number]] != ([number - 1] if number else []):
            fields["after"] = [names[one] for one in path.before[number]]
        yield f"      - {_flow(fields)}"
    for note in path.notes:
        yield f"      # left out: {' '.join(note.split())}"


def _hop_names(hops: Sequence[PathNode]) -> list[str]:
    """Return a name for each hop that no other one has."""
    names: list[str] = []
    for node in hops:
        wanted = node.name or node.resource
        for name in (wanted, f"{node.service} {wanted}", f"{node.service} {wanted} {len(names)}"):
            if name not in names:
                names.append(name)
                break
    return names


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    options: dict[str, Any] = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True}
    dumped: str = yaml.safe_dump(value, width=2**30, **options)
    return dumped.removesuffix("...\n").strip()


def needed_actions(services: Collection[str]) -> set[str]:
    """Return the IAM actions that reading the links of services needs."""
    return {action for one in READERS if one.service in services for action in one.iam_actions}
