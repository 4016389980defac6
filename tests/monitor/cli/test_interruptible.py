"""Ctrl-C ends a command, even if its event loop waits or its coroutine handles the cancellation."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from monitor.cli.interruptible import run_interruptible
from tests.processes import ROOT


async def interrupt_and_wait() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.Event().wait()


async def interrupt_and_fail() -> None:
    try:
        await interrupt_and_wait()
    except asyncio.CancelledError:
        raise ConnectionError from None


async def interrupt_and_return() -> None:
    with suppress(asyncio.CancelledError):
        await interrupt_and_wait()


@pytest.mark.parametrize("command", [interrupt_and_wait, interrupt_and_fail, interrupt_and_return])
def test_an_interrupted_command_raises_keyboard_interrupt(
    command: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_interruptible(command())


async def fail() -> None:
    raise ConnectionError


def test_an_error_of_the_coroutine_is_raised() -> None:
    with pytest.raises(ConnectionError):
        run_interruptible(fail())


def test_without_a_signal_the_result_of_the_coroutine_is_returned() -> None:
    assert run_interruptible(asyncio.sleep(0, "result")) == "result"


SCRIPT = """
import asyncio, signal, threading
from monitor.cli.interruptible import run_interruptible

async def wait():
    loop = asyncio.get_running_loop()
    # A signal that another thread receives interrupts no system call of this thread.
    interrupt = lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    loop.call_later(0.1, lambda: threading.Timer(0.1, interrupt).start())
    await asyncio.Event().wait()

try:
    run_interruptible(wait())
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_signal_that_another_thread_receives_ends_the_command() -> None:
    command = [sys.executable, "-c", SCRIPT]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    assert result.stdout == "interrupted\n"
