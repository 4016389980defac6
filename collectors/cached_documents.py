"""A cache on disk of parsed YAML files: all processes of a user share it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.lib.cached_data import key_of, read_cached, write_cached
from rules import strict_yaml

Documents = Mapping[str, Any]  # the data of each file by its name without suffix, in the order of the names


class CachedDocuments:
    """The documents in the YAML files of a folder, parsed or from the cache.

    name: the name of the cached data. further_folder: a change of its files also invalidates the cached data.
    cached: the cached data; None if there is no such data, or a file changed since `store`.
    """

    def __init__(self, name: str, folder: Path, further_folder: Path | None = None) -> None:
        self._name, self._contents = name, contents_of(folder)
        parser_source = Path(strict_yaml.__file__).read_bytes()
        further_contents = contents_of(further_folder) if further_folder else {}
        self._key = key_of([("", parser_source), *self._contents.items(), *further_contents.items()])
        self.cached: Documents | None = read_cached(name, self._key)

    def parse(self) -> Documents:
        """Parse the files. Raises ValueError for a file that is no strict YAML."""
        return {stem: _parse(stem, content) for stem, content in self._contents.items()}

    def store(self, documents: Documents) -> None:
        """Cache the documents that `parse` returned and the caller has checked."""
        write_cached(self._name, self._key, documents)


def contents_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of the YAML files of a folder, in the order of their names without suffix."""
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("[!.]*.yaml"))}


def _parse(stem: str, content: bytes) -> Any:
    data, problems = strict_yaml.parse(content)
    if problems:
        raise ValueError(f"{stem}: {problems[0].what}")
    return data
