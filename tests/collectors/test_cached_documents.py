"""The cache of the parsed YAML files of a folder."""

from pathlib import Path

import pytest

from collectors.cached_documents import CachedDocuments


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "b.yaml").write_text("x: [1, 2.5, no]")
    (tmp_path / "files" / "a.yaml").write_text("y: {z: ~}")
    return tmp_path / "files"


def fill_cache(folder: Path, further_folder: Path | None = None) -> None:
    files = CachedDocuments("files", folder, further_folder)
    assert files.cached is None
    files.store(files.parse())


def test_cached_documents_are_returned_in_the_order_of_their_names(folder: Path) -> None:
    fill_cache(folder)
    cached = CachedDocuments("files", folder).cached
    assert cached == {"a": {"y": {"z": None}}, "b": {"x": [1, 2.5, "no"]}}
    assert [*cached] == ["a", "b"]


@pytest.mark.parametrize("name", ["a.yaml", "c.yaml"])
def test_cached_documents_are_not_returned_after_a_file_changed(folder: Path, name: str) -> None:
    fill_cache(folder)
    (folder / name).write_text("y: {z: 1}")
    assert CachedDocuments("files", folder).cached is None


def test_cached_documents_are_not_returned_after_the_further_folder_changed(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    fill_cache(folder, other)
    assert CachedDocuments("files", folder, other).cached
    (other / "c.yaml").write_text("1")
    assert CachedDocuments("files", folder, other).cached is None


@pytest.mark.parametrize("content", ["x: 1\nx: 2", "a: &b 1\nc: *b", "["])
def test_a_file_that_is_no_strict_yaml_is_not_parsed(folder: Path, content: str) -> None:
    (folder / "c.yaml").write_text(content)
    with pytest.raises(ValueError):
        CachedDocuments("files", folder).parse()
