"""Configured paths that are pipes, sockets, directories or link loops: reading them fails with a reason."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.access.key_pair import KeyPair
from monitor.config.file import read_config
from monitor.lib.files import read_file
from monitor.schema.problems import ConfigError
from tests.processes import COMMAND, ROOT
from tests.registries import REGISTRY


def _socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))


PATH_MAKERS: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "directory": Path.mkdir,
    "link loop": lambda path: path.symlink_to(path),
}
CONFIGS = {
    "a token": "auth: {tokens: [{name: a, token_file: x}]}",
    "a password": "auth: {users: [{name: a, password_file: x}]}",
    "a secret of a receiver": "receivers: [{name: a, type: slack, url_file: x}]",
    "access keys": "stream: {access_keys_file: x}",
    "an external id": "accounts: [{role_arn: 'arn:aws:iam::123456789012:role/a', external_id_file: x}]",
    "a certificate": "tls: {certificate_file: x, key_file: x}",
}


@pytest.fixture(params=PATH_MAKERS)
def irregular_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A path that is no regular file, once for each of PATH_MAKERS."""
    path = tmp_path / "x"
    PATH_MAKERS[request.param](path)
    yield path


def test_a_configuration_that_is_no_regular_file_is_a_problem(irregular_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        read_config(irregular_path, {}, REGISTRY)
    (problem,) = raised.value.problems
    assert problem.startswith(f"{irregular_path}: cannot be read: ")


@pytest.mark.parametrize("setting", CONFIGS)
def test_each_configured_path_that_is_no_regular_file_is_one_problem(
    irregular_path: Path, setting: str
) -> None:
    config = irregular_path.with_name("headroom.yaml")
    config.write_text(CONFIGS[setting])
    with pytest.raises(ConfigError) as raised:
        read_config(config, {}, REGISTRY)
    assert len(raised.value.problems) == 1


def test_the_error_names_a_certificate_that_is_no_regular_file(irregular_path: Path) -> None:
    with pytest.raises(ValueError, match=str(irregular_path)):
        KeyPair(irregular_path, irregular_path).context("1.2")


def test_a_file_is_read_up_to_the_maximum_of_bytes(tmp_path: Path) -> None:
    (tmp_path / "regular").write_bytes(b"interval: 60")
    assert read_file(tmp_path / "regular", 8) == b"interval"


def test_a_configuration_that_is_piped_to_standard_input_is_read() -> None:
    command = [*COMMAND, "config", "check", "--config", "/dev/stdin"]
    process = subprocess.run(
        command, input="interval: 60", capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (process.returncode, process.stdout.splitlines()[0]) == (0, "/dev/stdin is valid.")
