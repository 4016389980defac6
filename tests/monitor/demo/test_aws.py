"""The process of the simulated AWS."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, demo_aws_process


def test_the_process_ends_cleanly_when_its_standard_input_ends() -> None:
    with demo_aws_process() as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_the_process_deletes_the_folder_of_a_demo_that_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "headroom-demo"
    folder.mkdir()
    (folder / "headroom.db").touch()
    with demo_aws_process("--delete-after", str(folder)) as (process, _):
        assert folder.is_dir()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_cleanly_on_a_signal(signal_number: signal.Signals) -> None:
    with demo_aws_process() as (process, _):
        process.send_signal(signal_number)
        assert process.wait(10) == 0


def test_a_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [sys.executable, "-m", "monitor.demo.aws", "--port", port]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
            assert process.wait(60) == 1
            assert process.stderr is not None
            errors = process.stderr.read().decode()
    assert errors == f"Cannot listen on 127.0.0.1:{port}: Address already in use\n"
