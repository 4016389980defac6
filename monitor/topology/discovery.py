"""Proposes request paths from the links between resources, in the format of a file of `path_files`."""

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
from rules.plurals import agreeing, count_of

HEADER = """\
# Request paths found in AWS, proposed by `headroom paths discover`. Keep the paths that matter, and name this
# file in `path_files` of the configuration. AWS does not tell what functions and instances call: add their
# tables, buckets, queues and keys by hand.
"""
# Characters that the name of a request path must not have.
NOT_IN_NAMES = re.compile(r"[^\w .:@+-]+")

MAX_BASE_LENGTH = MAX_NAME_LENGTH - 4  # leaves room for a space and a number

Targets = Mapping[Identity, Sequence[PathNode]]


class FoundLinks(NamedTuple):
    """The links of all cells, and a sentence about each call that failed or was left out."""

    links: Sequence[PathLink]
    failures: Sequence[str]


class ProposedPath(NamedTuple):
    """A path from an entrance. hops: sorted so that each hop comes after its predecessors.

    predecessors: for each hop, the numbers of the hops that it follows. notes: sentences about the links that
    were left out.
    """

    name: str
    hops: Sequence[PathNode]
    predecessors: Sequence[Sequence[int]]
    notes: Sequence[str]


async def find_links(cells: Iterable[tuple[Cell, Collection[str]]]) -> FoundLinks:
    """Read the links in cells. cells: each with the services that are monitored in the cell."""
    scans = await asyncio.gather(*(_scan(cell, services) for cell, services in cells))
    return FoundLinks(
        [*dict.fromkeys(link for scan in scans for link in scan.links)],
        [*dict.fromkeys(sentence for scan in scans for sentence in scan.failures)],
    )


async def _scan(cell: Cell, services: Collection[str]) -> LinkScan:
    scan = LinkScan(cell)
    readers = [reader for reader in READERS if reader.service in services and reader.scope is cell.scope]
    await asyncio.gather(*(reader.read(scan) for reader in readers))
    return scan


def propose_paths(links: Sequence[PathLink]) -> list[ProposedPath]:
    """Return a path from each resource that no link leads to and whose kind of hop has a flow signal.

    The flow signal counts what passes the hop: requests, messages or records.
    """
    nodes = _nodes(links)
    targets = defaultdict[Identity, list[PathNode]](list)
    for source, target in links:
        if target.identity not in [node.identity for node in targets[source.identity]]:
            targets[source.identity].append(nodes[target.identity])
    target_identities = {link.target.identity for link in links}
    entrances = [node for identity, node in nodes.items() if identity not in target_identities]
    used_names: set[str] = set()
    return [
        _path(node, targets, used_names)
        for node in sorted(entrances)
        if targets.get(node.identity) and hop_kinds()[node.service].flow
    ]


def _nodes(links: Iterable[PathLink]) -> Mapping[Identity, PathNode]:
    """Return the resources by identity, each with its name if any link has the name."""
    nodes: dict[Identity, PathNode] = {}
    for node in (node for link in links for node in link):
        if node.identity not in nodes or node.name:
            nodes[node.identity] = node
    return nodes


def _path(entrance: PathNode, targets: Targets, used_names: set[str]) -> ProposedPath:
    """Return the path that begins at an entrance. used_names: the names of the other paths."""
    found_hops, notes = [entrance], list[str]()
    predecessors_of: dict[Identity, list[Identity]] = {entrance.identity: []}
    for node in found_hops:  # the loop appends the hops that it finds
        for target in targets.get(node.identity, ()):
            predecessors = predecessors_of.get(target.identity)
            if predecessors is None and len(found_hops) >= MAX_HOPS:
                notes.append(f"{node.resource} leads on to {target.service} {target.resource}")
            elif predecessors is None:
                predecessors_of[target.identity] = [node.identity]
                found_hops.append(target)
            elif _leads_to(target.identity, node.identity, predecessors_of):
                notes.append(f"{target.service} {target.resource} leads to {node.resource}, and back")
            else:
                predecessors.append(node.identity)
    hops = _sort_hops(found_hops, predecessors_of)
    numbers = {node.identity: number for number, node in enumerate(hops)}
    return ProposedPath(
        _path_name(entrance, used_names),
        hops,
        [sorted(numbers[identity] for identity in predecessors_of[node.identity]) for node in hops],
        notes,
    )


def _leads_to(
    first: Identity,
    last: Identity,
    predecessors_of: Mapping[Identity, Sequence[Identity]],
) -> bool:
    """Return whether the hop `first` is the hop `last`, or leads to it."""
    unvisited, seen = [last], {last}
    while unvisited:
        identity = unvisited.pop()
        if identity == first:
            return True
        predecessors = [predecessor for predecessor in predecessors_of[identity] if predecessor not in seen]
        seen.update(predecessors)
        unvisited += predecessors
    return False


def _sort_hops(
    hops: Sequence[PathNode],
    predecessors_of: Mapping[Identity, Sequence[Identity]],
) -> list[PathNode]:
    """Return the hops in an order in which each hop is after the hops that it follows."""
    sorted_hops: dict[Identity, PathNode] = {}
    remaining = [*hops]
    while remaining:
        sorted_hops |= {
            node.identity: node
            for node in remaining
            if sorted_hops.keys() >= {*predecessors_of[node.identity]}
        }
        remaining = [node for node in remaining if node.identity not in sorted_hops]
    return [*sorted_hops.values()]


def _path_name(entrance: PathNode, used_names: set[str]) -> str:
    """Return a name that is not in `used_names`, and add it to them."""
    cleaned = NOT_IN_NAMES.sub("-", entrance.name or entrance.resource).strip("-. ")
    base = cleaned or entrance.service
    base = (base if re.match(r"\w", base) else f"x{base}")[:MAX_BASE_LENGTH]
    name, number = base, 1
    while name in used_names:
        number += 1
        name = f"{base} {number}"
    used_names.add(name)
    return name


def as_yaml(paths: Sequence[ProposedPath], accounts: Collection[str]) -> str:
    """Return the file of the paths. accounts: all accounts that were read.

    The file names the accounts of paths only if several accounts were read.
    """
    lines = [HEADER + "paths:" + ("" if paths else " []")]
    for path in paths[:MAX_PATHS]:
        lines += _path_lines(path, with_account=len({*accounts}) > 1)
    left_out_count = len(paths) - MAX_PATHS
    if left_out_count > 0:
        verb = agreeing(left_out_count, "is", "are")
        lines.append(f"# {count_of(left_out_count, 'more path')} {verb} left out")
    return "\n".join([*lines, ""])


def _path_lines(path: ProposedPath, *, with_account: bool) -> Iterator[str]:
    entrance = path.hops[0]
    yield f"  - name: {_one_line_yaml(path.name)}"
    if with_account:
        yield f"    account: {_one_line_yaml(entrance.account)}"
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
        if [*path.predecessors[number]] != ([number - 1] if number else []):
            fields["after"] = [names[predecessor] for predecessor in path.predecessors[number]]
        yield f"      - {_one_line_yaml(fields)}"
    for note in path.notes:
        yield f"      # left out: {' '.join(note.split())}"


def _hop_names(hops: Sequence[PathNode]) -> list[str]:
    """Return a unique name for each hop."""
    names: list[str] = []
    for node in hops:
        base = node.name or node.resource
        for name in (base, f"{node.service} {base}", f"{node.service} {base} {len(names)}"):
            if name not in names:
                names.append(name)
                break
    return names


def _one_line_yaml(value: Any) -> str:
    """Return a value as YAML on one line."""
    options: dict[str, Any] = {"default_flow_style": True, "sort_keys": False, "allow_unicode": True}
    dumped: str = yaml.safe_dump(value, width=2**30, **options)
    return dumped.removesuffix("...\n").strip()


def needed_actions(services: Collection[str]) -> set[str]:
    """Return the IAM actions that are needed to read the links of services."""
    return {action for reader in READERS if reader.service in services for action in reader.iam_actions}
