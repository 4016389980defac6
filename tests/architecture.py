"""The rules of the architecture. Each is a function that takes sources, and returns the violations."""

import ast
import builtins
import gc
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOTS = ("monitor", "collectors", "rules")
ROOT_ERROR = "HeadroomError"
# Words that no constant has in its name: MAX, MIN, TIMEOUT and INTERVAL are used in their place.
OLD_WORDS = frozenset(("LONGEST", "MOST", "LARGEST", "LEAST", "SHORTEST", "PATIENCE", "BREATH"))
# A docstring begins with none of these words.
DANGLING_WORDS = frozenset(
    (
        "what",
        "who",
        "which",
        "where",
        "when",
        "why",
        "how",
        "whether",
        "whatever",
        "as",
        "at",
        "by",
        "if",
        "of",
    )
)
# Attributes of botocore's requests, click's commands, `os` and Jinja's environments. Classes of this project
# have attributes of the same names by chance.
FOREIGN_ATTRIBUTES = frozenset(("data", "name", "help", "environ", "filters"))
# Bases from which a class inherits no documented methods.
PLAIN_BASES = frozenset(("Protocol", "NamedTuple", "Generic", "Enum", "StrEnum", "IntEnum", "BaseModel"))
# Names that begin with an underscore and are documented: those of named tuples, and one of `os`.
PUBLIC_UNDERSCORES = frozenset(("_replace", "_asdict", "_fields", "_make", "_field_defaults", "_exit"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
Table = Mapping[str, frozenset[str]]


class Source(NamedTuple):
    """One Python file. path: relative to the root, such as monitor/lib/text.py."""

    path: str
    text: str
    tree: ast.Module
    nodes: tuple[ast.AST, ...]  # all nodes of the tree, which is walked once for all rules

    @property
    def package(self) -> str:
        """The name in the table of imports: `rules`, `lib` for monitor/lib, `app` for monitor/app.py."""
        parts = Path(self.path).with_suffix("").parts
        return parts[1] if parts[0] == "monitor" and parts[1] != "__init__" else parts[0]


def sources(root: Path, roots: Sequence[str] = ROOTS) -> list[Source]:
    """Parse all Python files of the three packages, or of other folders."""
    paths = sorted(path for name in roots for path in (root / name).rglob("*.py"))
    texts = [(path.relative_to(root).as_posix(), path.read_text("utf-8")) for path in paths]
    gc.disable()  # the collector would search a million new nodes again and again, though none is garbage
    try:
        return [_parsed(path, text) for path, text in texts]
    finally:
        gc.enable()


def _parsed(path: str, text: str) -> Source:
    tree = ast.parse(text, path)
    return Source(path, text, tree, tuple(ast.walk(tree)))


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and package of every import of the project's own packages, also within functions."""
    for node in source.nodes:
        for module in _imported_modules(source, node):
            parts = module.split(".")
            if parts[0] in ROOTS:
                package = parts[1] if parts[0] == "monitor" and len(parts) > 1 else parts[0]
                yield getattr(node, "lineno", 0), package


def _imported_modules(source: Source, node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(names=names, level=level):
            parents = Path(source.path).parts[:-level] if level else ()
            start = ".".join([*parents, *([node.module] if node.module else [])])
            return [f"{start}.{name.name}" for name in names]
        case ast.Call(
            func=ast.Name("__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return [module]
    return []


def forbidden_imports(files: Sequence[Source], table: Table) -> list[str]:
    """Imports that the table does not allow. A package that is not in the table may import nothing."""
    return [
        f"{source.path}:{line} imports {package}"
        for source in files
        for line, package in imports(source)
        if package not in {source.package, *table.get(source.package, ())}
    ]


def unlisted_packages(files: Sequence[Source], table: Table) -> list[str]:
    """Packages that are not in the table, and entries of the table that are no package."""
    return sorted({source.package for source in files if source.package != "monitor"} ^ set(table))


def unused_permissions(files: Sequence[Source], table: Table) -> list[str]:
    """Imports that the table allows and no file needs."""
    used = import_graph(files)
    return [f"{package} -> {other}" for package in table for other in sorted(table[package] - used[package])]


def import_graph(files: Sequence[Source]) -> dict[str, set[str]]:
    """Return the packages that each package imports."""
    edges = defaultdict[str, set[str]](set)
    for source in files:
        edges[source.package] |= {package for _, package in imports(source)} - {source.package}
    return edges


def cycles(edges: Mapping[str, set[str]]) -> list[str]:
    """Packages that import themselves through other packages."""
    return sorted(package for package in edges if package in _reachable(edges, package))


def _reachable(edges: Mapping[str, set[str]], start: str) -> set[str]:
    found, new = set[str](), set(edges.get(start, ()))
    while new:
        found |= new
        new = {imported for package in new for imported in edges.get(package, ())} - found
    return found


def classes(files: Sequence[Source]) -> Iterator[tuple[Source, ast.ClassDef]]:
    """Yield all classes, nested ones too."""
    for source in files:
        for node in source.nodes:
            if isinstance(node, ast.ClassDef):
                yield source, node


def repeated_class_names(files: Sequence[Source]) -> list[str]:
    """Class names that are defined more than once."""
    places = defaultdict[str, list[str]](list)
    for source, node in classes(files):
        places[node.name].append(f"{source.path}:{node.lineno}")
    return [f"{name}: {' '.join(where)}" for name, where in sorted(places.items()) if len(where) > 1]


def aliases(files: Sequence[Source]) -> Iterator[tuple[Source, ast.Assign | ast.AnnAssign, str]]:
    """Yield all module-level names that are written like a class, with their assignments.

    These are aliases of types, and what NewType, TypeVar and the like return. `T` is not written like a
    class.
    """
    for source in files:
        for node in _module_level(source.tree.body):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            for target in targets:
                if isinstance(target, ast.Name) and re.fullmatch(r"_*[A-Z]\w*[a-z]\w*", target.id):
                    yield source, node, target.id


def _module_level(body: Sequence[ast.stmt]) -> Iterator[ast.Assign | ast.AnnAssign]:
    """Yield the assignments outside functions and classes, also those within `if`, `try` and `with`."""
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield node
        elif not isinstance(node, Function | ast.ClassDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from _module_level(getattr(node, part, ()))


def aliases_named_like_classes(files: Sequence[Source]) -> list[str]:
    """Aliases that have the name of a class, wherever it is defined: one name would mean two things."""
    places = {node.name: f"{source.path}:{node.lineno}" for source, node in classes(files)}
    return [
        f"{source.path}:{node.lineno} {name}, a class at {places[name]}"
        for source, node, name in aliases(files)
        if name in places
    ]


def repeated_aliases(files: Sequence[Source]) -> list[str]:
    """Aliases that several files define: a second meaning needs another name, the same meaning an import.

    Type variables may be repeated if they are declared alike: they have no meaning outside of the function or
    class that uses them. Two definitions in one file are alternatives, such as one for the type checker.
    """
    places, declarations = defaultdict[str, dict[str, int]](dict), defaultdict[str, set[str]](set)
    for source, node, name in aliases(files):
        places[name].setdefault(source.path, node.lineno)
        value = ast.unparse(node.value) if node.value else ""
        declarations[name].add("type variable " + value if _is_type_variable(node.value) else source.path)
    return [
        f"{name}: {' '.join(f'{path}:{line}' for path, line in sorted(places[name].items()))}"
        for name in sorted(places)
        if len(declarations[name]) > 1
    ]


def repeated_constants(files: Sequence[Source]) -> list[str]:
    """Public constants that several files declare with one name and one value: one should import it.

    Numbers are left out, as two limits may be equal by chance, and so are values made of a file's own
    functions and classes.
    """
    places = defaultdict[tuple[str, str], list[str]](list)
    for source in files:
        own = {node.name for node in source.tree.body if isinstance(node, Function | ast.ClassDef)}
        for node in _module_level(source.tree.body):
            for name, value in _assigned(node):
                nodes = [*ast.walk(value)]
                is_number = not any(isinstance(part, ast.Name | ast.Call) or _is_text(part) for part in nodes)
                is_own = any(isinstance(part, ast.Name) and part.id in own for part in nodes)
                if name.isupper() and not name.startswith("_") and not is_number and not is_own:
                    places[name, ast.unparse(value)].append(f"{source.path}:{node.lineno}")
    return [f"{name}: {' '.join(where)}" for (name, _), where in sorted(places.items()) if len(where) > 1]


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name that an assignment assigns, with its value."""
    for target in [node.target] if isinstance(node, ast.AnnAssign) else node.targets:
        if isinstance(target, ast.Name) and node.value:
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for name, value in zip(target.elts, node.value.elts, strict=False):
                if isinstance(name, ast.Name):
                    yield name.id, value


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _is_type_variable(value: ast.expr | None) -> bool:
    """Return whether a value is the call of TypeVar, ParamSpec or TypeVarTuple."""
    names = ("TypeVar", "ParamSpec", "TypeVarTuple")
    return isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in names


def _bases(node: ast.ClassDef) -> list[str]:
    """Return the names of the bases, without modules and type arguments."""
    plain = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]
    return [ast.unparse(base).rpartition(".")[2] for base in plain]


def _ancestors(name: str, bases: Mapping[str, Sequence[str]]) -> set[str]:
    found, new = set[str](), set(bases.get(name, ()))
    while new:
        found |= new
        new = {base for ancestor in new for base in bases.get(ancestor, ())} - found
    return found


def _is_exception(name: str) -> bool:
    builtin = getattr(builtins, name, None)
    return name.endswith(("Error", "Exception")) or (
        isinstance(builtin, type) and issubclass(builtin, BaseException)
    )


def misnamed_exceptions(files: Sequence[Source]) -> list[str]:
    """Exceptions without the suffix `Error`, or outside the hierarchy of HeadroomError."""
    bases = {node.name: _bases(node) for _, node in classes(files)}
    violations = []
    for source, node in classes(files):
        ancestors = _ancestors(node.name, bases)
        if not any(map(_is_exception, ancestors)):
            continue
        if not node.name.endswith("Error"):
            violations.append(f"{source.path}:{node.lineno} {node.name} lacks the suffix Error")
        if ROOT_ERROR not in {node.name, *ancestors}:
            violations.append(f"{source.path}:{node.lineno} {node.name} does not derive from {ROOT_ERROR}")
    return violations


def exception_parents(files: Sequence[Source]) -> dict[str, str]:
    """The parent of each exception of the hierarchy, without the root."""
    bases = {node.name: _bases(node) for _, node in classes(files)}
    hierarchy = {ROOT_ERROR, *(name for name in bases if ROOT_ERROR in _ancestors(name, bases))}
    return {
        name: next(base for base in bases[name] if base in hierarchy) for name in hierarchy - {ROOT_ERROR}
    }


def drawn_parents(text: str) -> dict[str, str]:
    """The parent of each exception in a tree drawn as text."""
    parents, path = dict[str, str](), [ROOT_ERROR]
    for indent, name in re.findall(r"^([│ ]*)[├└]── (\w+)", text, re.MULTILINE):
        path = [*path[: 1 + len(indent) // 4], name]
        parents[name] = path[-2]
    return parents


def exception_packages(files: Sequence[Source]) -> dict[str, str]:
    """The package of each exception of the hierarchy."""
    hierarchy = {*exception_parents(files), ROOT_ERROR}
    return {node.name: source.package for source, node in classes(files) if node.name in hierarchy}


def drawn_packages(text: str) -> dict[str, str]:
    """The package of each exception, which a tree drawn as text has in parentheses after the exception."""
    return dict(re.findall(r"[├└]── (\w+)[^(\n]*\((\w+)", text))


def misnamed_constants(files: Sequence[Source]) -> list[str]:
    """Constants whose names contain one of OLD_WORDS, in place of MAX, MIN, TIMEOUT or INTERVAL."""
    return [
        f"{source.path}:{node.lineno} {node.id}"
        for source in files
        for node in source.nodes
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Store)
        and re.fullmatch("[A-Z0-9_]+", node.id)
        and OLD_WORDS & set(node.id.split("_"))
    ]


def foreign_assignments(files: Sequence[Source]) -> list[str]:
    """Assignments to attributes that only classes of other packages have, judged by the attributes' names.

    A package changes its own objects; others call their methods.
    """
    owners = defaultdict[str, set[str]](set)  # of each attribute, the packages whose classes have it
    for source, node in classes(files):
        for name in _attributes(node):
            owners[name].add(source.package)
    return [
        f"{source.path}:{node.lineno} {ast.unparse(node)}"
        for source in files
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store | ast.Del)
        and not _is_self(node.value)
        and node.attr not in FOREIGN_ATTRIBUTES
        and owners.get(node.attr, {source.package}).isdisjoint({source.package})
    ]


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Yield the attributes that the body or the methods of a class assign."""
    for part in ast.walk(node):
        match part:
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Attribute(value=ast.Name("self"), attr=name, ctx=ast.Store()):
                yield name


def undocumented(files: Sequence[Source]) -> list[str]:
    """Public modules, classes, functions and methods without a docstring; overriding methods need none."""
    bases = {node.name: _bases(node) for _, node in classes(files)}
    documented = {
        (node.name, method.name)
        for _, node in classes(files)
        for method in node.body
        if isinstance(method, Function) and ast.get_docstring(method)
    }

    def inherits_docstring(node: ast.ClassDef, method: str) -> bool:
        """Return whether an ancestor documents the method, or may: classes of libraries are not searched."""
        ancestors = _ancestors(node.name, bases)
        foreign = {ancestor for ancestor in ancestors if ancestor not in bases} - PLAIN_BASES
        return bool(foreign) or any((ancestor, method) in documented for ancestor in ancestors)

    def public_nodes(body: Sequence[ast.stmt], owner: ast.ClassDef | None = None) -> Iterator[ast.AST]:
        """Yield public classes, functions and methods, except methods that inherit a docstring."""
        for node in body:
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                yield node
                yield from public_nodes(node.body, node)
            elif not (owner and inherits_docstring(owner, node.name)):
                yield node

    return [
        f"{source.path}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', '')}".rstrip()
        for source in files
        for node in (source.tree, *public_nodes(source.tree.body))
        if source.text.strip() and not ast.get_docstring(node)  # type: ignore[arg-type]
    ]


def misworded_docstrings(files: Sequence[Source]) -> list[str]:
    """Docstrings that begin neither with a verb nor with the noun, but as a question or in mid-sentence."""
    documentable = ast.Module | ast.ClassDef | Function
    return [
        f"{source.path}:{getattr(node, 'lineno', 1)} {text.splitlines()[0]}"
        for source in files
        for node in source.nodes
        if isinstance(node, documentable) and (text := ast.get_docstring(node))
        if text.partition(" ")[0].lower() in DANGLING_WORDS
    ]


def long_files(files: Sequence[Source], max_lines: int) -> list[str]:
    """Files of more lines than `max_lines`."""
    return [source.path for source in files if len(source.text.splitlines()) > max_lines]


def long_functions(files: Sequence[Source], max_lines: int) -> list[str]:
    """Functions of more lines than `max_lines`."""
    return [
        f"{source.path}:{node.lineno} {node.name}"
        for source in files
        for node in source.nodes
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno + 1 > max_lines
    ]


def private_names(files: Sequence[Source]) -> list[str]:
    """Private names that a file uses and does not own.

    A file owns the functions that it defines, and the names that it assigns or sets as `self._name`.
    """
    return [
        f"{source.path}:{line} {name}"
        for source in files
        for line, name in _used_names(source, _own_names(source))
        if re.match("_[^_]", name) and name not in PUBLIC_UNDERSCORES
    ]


def _own_names(source: Source) -> set[str]:
    """The functions that a file defines, and the names and attributes of `self` that it assigns."""
    defined = {node.name for node in source.nodes if isinstance(node, Function)}
    nodes_with_names = (node for node in source.nodes if isinstance(node, (ast.Attribute, ast.Name)))
    stored = [node for node in nodes_with_names if _is_stored(node)]
    return defined | {node.attr if isinstance(node, ast.Attribute) else node.id for node in stored}


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _is_stored(node: ast.Attribute | ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store) and (isinstance(node, ast.Name) or _is_self(node.value))


def _used_names(source: Source, own: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each attribute and import that a file does not own."""
    for node in source.nodes:
        match node:
            case ast.Attribute(value=value, attr=name) if not (_is_self(value) and name in own):
                yield node.lineno, name
            case ast.ImportFrom(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.Call(
                func=ast.Name("getattr" | "setattr" | "delattr" | "hasattr"),
                args=[_, ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, name
            case ast.Subscript(value=ast.Call(func=ast.Name("vars")), slice=ast.Constant(value=str(name))):
                yield node.lineno, name


def patches(files: Sequence[Source]) -> list[str]:
    """Calls that replace a part of the code under test, and imports of mocks."""
    return [
        f"{source.path}:{node.lineno} {ast.unparse(node)}"
        for source in files
        for node in source.nodes
        if isinstance(node, ast.Attribute | ast.Import | ast.ImportFrom) and _is_patch(node)
    ]


def _is_patch(node: ast.Attribute | ast.Import | ast.ImportFrom) -> bool:
    match node:
        case ast.Attribute(value=ast.Name("monkeypatch"), attr="setattr" | "delattr"):
            return True
        case ast.Import(names=names):
            return any(alias.name.startswith("unittest.mock") for alias in names)
        case ast.ImportFrom(module=module, names=names):
            return f"{module}.{names[0].name}".startswith("unittest.mock")
    return False
