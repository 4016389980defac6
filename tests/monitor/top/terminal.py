"""The command `headroom` as a process in a pseudo-terminal."""

import asyncio
import os
import pty
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from tests.processes import COMMAND, ENVIRONMENT, PROCESS_TIMEOUT, ROOT

SIZE = 24, 80  # lines and columns, in the order of termios; `harness.SIZE` has columns first


class Terminal:
    """The output of a process in a terminal, and the keyboard of the terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.output, self._more = b"", asyncio.Event()

    def read(self) -> None:
        """Store what the process has written."""
        try:
            self.output += os.read(self._descriptor, 65536)
        except OSError:  # the process ended
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._more.set()

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    async def until(self, word: str) -> None:
        """Wait until the process has written a word."""
        async with asyncio.timeout(PROCESS_TIMEOUT):
            while word.encode() not in self.output:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def terminal(
    *arguments: str, environ: Mapping[str, str]
) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """Run `headroom`; yield its terminal and its process, which is killed at the end."""
    parent_end, child_end = pty.openpty()
    termios.tcsetwinsize(child_end, SIZE)
    settings = {**ENVIRONMENT, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environ}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, cwd=ROOT, env=settings, stdin=child_end, stdout=child_end, stderr=child_end
    )
    os.close(child_end)
    screen, loop = Terminal(parent_end), asyncio.get_running_loop()
    loop.add_reader(parent_end, screen.read)
    try:
        yield screen, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        loop.remove_reader(parent_end)
        os.close(parent_end)
