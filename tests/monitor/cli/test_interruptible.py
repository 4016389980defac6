"""Ctrl-C ends a command though its event loop only waits."""

import subprocess
import sys

from tests.processes import ROOT

SCRIPT = """
import asyncio, signal, threading
from monitor.cli.interruptible import run_interruptible

async def wait():
    loop = asyncio.get_running_loop()
    # A signal that another thread receives interrupts no system call of this one.
    interrupt = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    loop.call_later(0.1, lambda: threading.Timer(0.1, interrupt).start())
    await asyncio.Event().wait()

try:
    run_interruptible(wait())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_that_another_thread_receives_ends_it() -> None:
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == "interrupted\n"
