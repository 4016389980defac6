"""The resources that have limits, with their ids and names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

ResourcePath = tuple[str, ...]  # AWS's ids of a resource and its parents, the outermost parent first
TypedPath = tuple[str, ResourcePath]  # the kind of a resource, and its path


@dataclass(frozen=True, slots=True, order=True)
class Resource:
    """Something that has a limit in an account and region; `ACCOUNT` is the whole account there.

    kind: "stream", "shard", and so on. path: AWS's ids of its parents and then its own, as in
    ("orders", "shardId-000000000000"), which identify the resource among the resources of its kind; the path
    of the whole account is empty. names: a name for each id of the path, if any name differs from its id;
    otherwise empty. Names may change, and several resources may share a name. containing_paths: the paths of
    the other resources of the same kind that contain it, as the prefix a/ contains the prefix a/b/.
    parent_kinds: the kinds of its parents, in the order of the path. zone: the Availability Zone; empty for a
    resource without one.
    """

    kind: str = field(compare=False)
    path: ResourcePath
    names: tuple[str, ...] = field(default=(), compare=False)
    containing_paths: tuple[ResourcePath, ...] = field(default=(), compare=False)
    parent_kinds: tuple[str, ...] = field(default=(), compare=False)
    zone: str = field(default="", compare=False)

    def child(self, kind: str, identity: str, name: str = "") -> "Resource":
        """Return a part of this resource. name: its name if it differs from its id."""
        has_names = self.names or name
        names = (*(self.names or self.path), name or identity) if has_names else ()
        parent_kinds = (*self.parent_kinds, self.kind) if self.path else ()
        return Resource(kind, (*self.path, identity), names, parent_kinds=parent_kinds, zone=self.zone)

    @property
    def display_name(self) -> str:
        """The names, or else the ids, as in the label `resource`; empty for the whole account."""
        return "/".join(self.names or self.path)

    @property
    def id(self) -> str:
        """The ids as one text, unique among the resources of a kind; empty for the whole account.

        A slash within a parent's id is encoded as %2F.
        """
        if len(self.path) <= 1:  # the common case
            return "".join(self.path)
        parents = (part.replace("%", "%25").replace("/", "%2F") for part in self.path[:-1])
        return "/".join((*parents, self.path[-1]))

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids of the path by kind, as in {"stream": "orders", "shard": "shardId-000000000000"}."""
        return dict(zip((*self.parent_kinds, self.kind), self.path, strict=False))

    @property
    def labels(self) -> dict[str, str]:
        """The labels that identify the resource among its kind: `resource`, and `resource_id` if they differ.

        The whole account has no labels.
        """
        text, identity = self.display_name, self.id
        if text == identity:
            return {"resource": text} if text else {}
        return {"resource": text, "resource_id": identity}

    @property
    def utf8_safe(self) -> "Resource":
        """The resource in characters that UTF-8 can encode: JSON may contain half of a surrogate pair."""
        path, names = (tuple(map(_encodable, part)) for part in (self.path, self.names))
        is_unchanged = (path, names) == (self.path, self.names)
        return self if is_unchanged else replace(self, path=path, names=names)

    @property
    def typed_path(self) -> TypedPath:
        """The kind and the path, which identify the resource among all resources of a service."""
        return self.kind, self.path

    @property
    def typed_lineage(self) -> Iterator[TypedPath]:
        """The typed paths of the resource and of the resources that it is a part of, without the account."""
        kinds = (*self.parent_kinds, self.kind)
        yield from ((kind, self.path[:end]) for end, kind in enumerate(kinds, 1))
        yield from ((self.kind, path) for path in self.containing_paths)

    @property
    def ancestor_paths(self) -> Iterator[ResourcePath]:
        """The paths of the resources that the resource is a part of, the whole account first."""
        yield from (self.path[:end] for end in range(len(self.path)))
        yield from self.containing_paths


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


ACCOUNT = Resource("account", ())
