"""Starting and quitting: help, keys that quit, a real terminal, and no terminal."""

import asyncio
import os
import pty
import re
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping

import pytest
from typer.testing import CliRunner

from monitor.api.client import REQUEST_TIMEOUT
from monitor.cli.commands import app
from rules.band import Zone
from tests.monitor.top.harness import Headroom, run_top
from tests.monitor.top.terminal import terminal
from tests.processes import COMMAND, PROCESS_TIMEOUT, running

COLOUR = re.compile(rb"[34]8;2;(\d+);(\d+);(\d+)")
OTHER_SCREEN, BACK = b"\x1b[?1049h", b"\x1b[?1049l"
ASKED_NOT = "import monitor.cli, sys; print('textual' in sys.modules)"


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_each_quit_key_ends_top(headroom: Headroom, key: str) -> None:
    async with run_top(headroom.address) as user:
        await user.press(key)
        await user.wait_until(lambda: not user.app.is_running)
    assert user.app.return_code == 0


async def test_help_lists_all_keys(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.press("question_mark")
        screen = await user.wait_for("Keys", "Symbols")
        for key in (
            "/ filter",
            "s S sort",
            "z show",
            "a acknowledge",
            "m silence",
            "e Tab show",
            "q quit",
        ):
            assert key in screen
        await user.press("escape")
        await user.wait_for("No series yet")


@pytest.mark.parametrize(("environ", "grey"), [({}, False), ({"NO_COLOR": "1"}, True)], ids=str)
async def test_a_real_terminal(headroom: Headroom, environ: Mapping[str, str], grey: bool) -> None:
    await headroom.publish_streams(("clicks", Zone.SATURATED, 0.5))
    async with terminal("top", "--address", headroom.address, environ=environ) as (screen, process):
        await screen.until("clicks")
        screen.type("q")
        async with asyncio.timeout(PROCESS_TIMEOUT):
            assert await process.wait() == 0
        await screen.until(BACK.decode())
    assert OTHER_SCREEN in screen.written and b"Traceback" not in screen.written
    assert all(red == green == blue for red, green, blue in COLOUR.findall(screen.written)) == grey


async def test_top_ends_at_once_though_the_server_does_not_respond() -> None:
    """A server that accepts connections but never responds delays requests, but not the user."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "127.0.0.1:{1}".format(*silent.getsockname())
        async with terminal("top", "--address", address, environ={}) as (screen, process):
            await screen.until("Connecting ")
            screen.type("q")
            async with asyncio.timeout(0.8 * REQUEST_TIMEOUT):
                assert await process.wait() == 0


def test_top_without_a_terminal_is_one_sentence() -> None:
    done = CliRunner().invoke(app, ("top", "--address", "127.0.0.1:1"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "headroom top needs a terminal; without one, use headroom check or the API\n"


async def test_a_pipe_as_output_is_no_terminal_either() -> None:
    ours, its = pty.openpty()
    process = await asyncio.create_subprocess_exec(*COMMAND, "top", stdin=its, stdout=PIPE, stderr=its)
    os.close(its)
    output, _ = await process.communicate()
    assert (output, process.returncode, os.read(ours, 4096).count(b"\n")) == (b"", 2, 1)
    os.close(ours)


async def test_other_commands_do_not_import_textual() -> None:
    async with running(sys.executable, "-c", ASKED_NOT) as process:
        assert await process.communicate() == (b"False\n", b"")
