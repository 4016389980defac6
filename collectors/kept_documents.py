"""Folders of YAML files that are parsed once for all processes of a user."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.lib.kept_data import keep, kept, key_of
from rules import strict_yaml

Documents = Mapping[str, Any]  # the data of each file by its name without suffix, in the order of the names


class KeptDocuments:
    """The documents in the YAML files of a folder, as they are now.

    name: by which their data is kept. also: another folder of which the files are checked with these. known:
    the data of the files if the same ones were kept, by `keep`; else None.
    """

    def __init__(self, name: str, folder: Path, also: Path | None = None) -> None:
        self._name, self._contents = name, contents_of(folder)
        parser, others = Path(strict_yaml.__file__), contents_of(also) if also else {}
        self._key = key_of([("", parser.read_bytes()), *self._contents.items(), *others.items()])
        self.known: Documents | None = kept(name, self._key)

    def parsed(self) -> Documents:
        """Parse the files. Raises ValueError for one that is no strict YAML."""
        return {stem: _parsed(stem, content) for stem, content in self._contents.items()}

    def keep(self, documents: Documents) -> None:
        """Keep what `parsed` returned, once it was found to have no problem."""
        keep(self._name, self._key, documents)


def contents_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of the YAML files of a folder, in the order of their names without suffix."""
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("[!.]*.yaml"))}


def _parsed(stem: str, content: bytes) -> Any:
    data, problems = strict_yaml.parse(content)
    if problems:
        raise ValueError(f"{stem}: {problems[0].what}")
    return data
