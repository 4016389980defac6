"""A file is replaced as a whole, or not at all."""

import os
import threading
from pathlib import Path

import pytest

from monitor.lib.atomic_file import replace_atomically


def test_a_file_is_replaced_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"before")
    path.chmod(0o640)
    with replace_atomically(path) as out:
        out.write(b"half")
        out.flush()
        assert path.read_bytes() == b"before"
        out.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    with replace_atomically(tmp_path / "report.html") as out:
        out.write(b"all")
    other_file = tmp_path / "other"
    other_file.touch()
    assert (tmp_path / "report.html").stat().st_mode == other_file.stat().st_mode


def test_a_failure_leaves_only_the_earlier_content(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), replace_atomically(path) as out:
        out.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_to_a_link_replaces_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    with replace_atomically(tmp_path / "link") as out:
        out.write(b"all")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"all"


def test_writing_to_a_pipe_keeps_the_pipe(tmp_path: Path) -> None:
    path, received = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: received.append(path.read_bytes()), daemon=True)
    reader.start()
    with replace_atomically(path) as out:
        out.write(b"all")
    reader.join(10)
    assert received == [b"all"]
    assert path.is_fifo()


@pytest.mark.parametrize("name", ["absent/report.html", ".", "file/report.html"])
def test_a_path_that_cannot_be_written_fails_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError), replace_atomically(tmp_path / name):
        raise AssertionError("it is not reached")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
