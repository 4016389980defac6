"""Data that is derived from files once, and cached for later processes."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.lib.cached_data import MAX_CACHED_FILES, key_of, read_cached, write_cached

KEY = key_of([("a.yaml", b"x: 1")])
DATA = {"one": [1, 2.5, None, True, "ä"], "two": {}}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path)}


def cache_file(environ: dict[str, str]) -> Path:
    return Path(environ["XDG_CACHE_HOME"], "headroom", f"name-{KEY[:16]}.json")


def test_cached_data_is_found_only_by_its_name_and_key(environ: dict[str, str]) -> None:
    assert read_cached("name", KEY, environ) is None
    write_cached("name", KEY, DATA, environ)
    assert read_cached("name", KEY, environ) == DATA
    assert read_cached("other", KEY, environ) is None
    assert [path.name for path in cache_file(environ).parent.iterdir()] == [cache_file(environ).name]
    assert cache_file(environ).stat().st_mode & 0o777 == 0o600


def test_keys_differ_by_the_names_contents_and_order_of_the_files() -> None:
    contents = [("a", b"bc"), ("ab", b"c"), ("b", b"bc"), ("a", b"bcb")]
    assert len({key_of([]), key_of(contents[:2]), key_of(reversed(contents[:2]))}) == 3
    assert len({key_of([content]) for content in contents}) == len(contents)


def test_data_of_several_versions_is_cached_and_the_oldest_is_removed(environ: dict[str, str]) -> None:
    keys = [key_of([("a.yaml", str(number).encode())]) for number in range(MAX_CACHED_FILES + 2)]
    for number, key in enumerate(keys):
        write_cached("name", key, [number], environ)
        (file,) = cache_file(environ).parent.glob(f"*{key[:16]}*")
        os.utime(file, (number, number))
    write_cached("other", KEY, [], environ)
    cached_data = [read_cached("name", key, environ) for key in keys]
    assert cached_data == [None, None, *([number] for number in range(2, MAX_CACHED_FILES + 2))]


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_damaged_file_is_ignored(tmp_path_factory: Any, position: int, change: int) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path_factory.getbasetemp() / "damaged")}
    write_cached("name", KEY, DATA, environ)
    file = cache_file(environ)
    content = bytearray(file.read_bytes())
    content[position % len(content)] ^= change
    file.write_bytes(content)
    assert read_cached("name", KEY, environ) is None
    file.write_bytes(content[: position % len(content)])
    assert read_cached("name", KEY, environ) is None


def test_a_file_that_others_could_have_written_is_ignored(environ: dict[str, str]) -> None:
    write_cached("name", KEY, DATA, environ)
    for mode in (0o620, 0o602):
        cache_file(environ).chmod(mode)
        assert read_cached("name", KEY, environ) is None


ENVIRONS_WITHOUT_CACHE: list[dict[str, str]] = [
    {},
    {"XDG_CACHE_HOME": "relative", "HOME": ""},
    {"XDG_CACHE_HOME": "/dev/null"},
    {"HOME": "/proc"},
    {"HOME": "/\0"},
]


@pytest.mark.parametrize("environ", ENVIRONS_WITHOUT_CACHE, ids=str)
def test_without_a_writable_folder_no_data_is_cached(environ: dict[str, str]) -> None:
    write_cached("name", KEY, DATA, environ)
    assert read_cached("name", KEY, environ) is None
    assert not Path("relative").exists()


def test_a_folder_in_the_place_of_the_file_is_ignored(environ: dict[str, str]) -> None:
    cache_file(environ).mkdir(parents=True)
    write_cached("name", KEY, DATA, environ)
    assert read_cached("name", KEY, environ) is None


@pytest.mark.parametrize("data", [math.inf, (1, 2), {1: 2}], ids=str)
def test_data_that_json_would_change_is_not_cached(data: Any, environ: dict[str, str]) -> None:
    write_cached("name", KEY, data, environ)
    assert read_cached("name", KEY, environ) is None


def test_the_cache_folder_is_in_the_home_of_the_user(tmp_path: Path) -> None:
    write_cached("name", KEY, DATA, {"HOME": str(tmp_path)})
    assert [*tmp_path.glob(".cache/headroom/name-*.json")]
