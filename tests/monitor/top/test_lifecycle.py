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
# What a terminal application writes to enter and to leave the alternate screen.
ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
IMPORT_CHECK = "import monitor.cli, sys; print('textual' in sys.modules)"


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


@pytest.mark.parametrize(("environ", "is_grey"), [({}, False), ({"NO_COLOR": "1"}, True)], ids=str)
async def test_top_restores_a_real_terminal_and_obeys_no_color(
    headroom: Headroom, environ: Mapping[str, str], is_grey: bool
) -> None:
    await headroom.publish_streams(("clicks", Zone.SATURATED, 0.5))
    async with terminal("top", "--address", headroom.address, environ=environ) as (screen, process):
        await screen.until("clicks")
        screen.type("q")
        async with asyncio.timeout(PROCESS_TIMEOUT):
            assert await process.wait() == 0
        await screen.until(LEAVE_SCREEN.decode())
    assert ENTER_SCREEN in screen.output and b"Traceback" not in screen.output
    assert all(red == green == blue for red, green, blue in COLOUR.findall(screen.output)) == is_grey


async def test_top_quits_at_once_while_the_server_does_not_respond() -> None:
    """The server accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        address = f"127.0.0.1:{silent_server.getsockname()[1]}"
        async with terminal("top", "--address", address, environ={}) as (screen, process):
            await screen.until("Connecting ")
            screen.type("q")
            async with asyncio.timeout(0.8 * REQUEST_TIMEOUT):
                assert await process.wait() == 0


def test_top_without_a_terminal_fails_with_one_sentence() -> None:
    result = CliRunner().invoke(app, ("top", "--address", "127.0.0.1:1"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "headroom top needs a terminal; without one, use headroom check or the API\n"


async def test_top_fails_when_its_output_is_a_pipe() -> None:
    parent_end, child_end = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "top", stdin=child_end, stdout=PIPE, stderr=child_end
    )
    os.close(child_end)
    output, _ = await process.communicate()
    assert (output, process.returncode, os.read(parent_end, 4096).count(b"\n")) == (b"", 2, 1)
    os.close(parent_end)


async def test_other_commands_do_not_import_textual() -> None:
    async with running(sys.executable, "-c", IMPORT_CHECK) as process:
        assert await process.communicate() == (b"False\n", b"")
