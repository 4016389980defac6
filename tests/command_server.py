"""Runs `headroom` in forks of a process that has imported all commands. `python -m tests.command_server FD`

Each test process starts one when it first needs it: to start Python and import the commands costs more CPU
than what most tests have a command do. A fork has a number, an environment, a working folder and streams of
its own, and ends as Python does, so that what it prints at its end is seen too.

Each byte on the socket FD brings five descriptors: standard input, output and error of a command, a pipe with
a `CommandLine`, and one for two lines: the number of its process and, once it has ended, its exit code.
"""

import gc
import os
import signal
import socket
import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import msgspec

from collectors.builtin import builtin_registry
from monitor.cli.main import main

DESCRIPTORS = 5

# What commands import when they run: all modules of these packages, and these.
WITH_WORK = ("monitor.cli", "monitor.config", "monitor.dashboards", "monitor.quotas", "monitor.report")
WORK = (
    "monitor.app",
    "monitor.demo.session",
    "monitor.notifiers.trial_notification",
    "monitor.stream.aws_setup",
)


class CommandLine(msgspec.Struct):
    """Arguments of `headroom`, and the environment and working folder that it starts in."""

    arguments: list[str]
    environ: dict[str, str]
    folder: str


class CommandServer:
    """Forks a process for each command, and reports how it ended. reports: pipes by number of process."""

    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.reports: dict[int, int] = {}

    def serve(self) -> CommandLine | None:
        """Fork until the socket is closed, and return None; in each fork, return what it is to run."""
        signal.signal(signal.SIGCHLD, self.report_ended)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the tests end, and close the socket
        while True:
            _, descriptors, _, _ = socket.recv_fds(self.requests, 1, DESCRIPTORS)
            if not descriptors:
                return None
            *streams, request, report = descriptors
            with open(request, "rb") as pipe:
                command = msgspec.json.decode(pipe.read(), type=CommandLine)
            if self.fork(report) == 0:
                self.leave(streams)
                return command
            for stream in streams:
                os.close(stream)

    def fork(self, report: int) -> int:
        """Fork, and report the number of the process before its end can be reported."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        self.reports[pid] = report
        if pid:
            os.write(report, b"%d\n" % pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return pid

    def leave(self, streams: list[int]) -> None:
        """Make a fork independent of the server: its signals, its streams, no descriptors of others."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        self.requests.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in (*streams, *self.reports.values()):
            os.close(descriptor)

    def report_ended(self, *_: Any) -> None:
        """Report the exit code of each process that has ended; of a killed one, the negative signal."""
        while self.reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            report = self.reports.pop(pid)
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(report)


def run() -> None:
    """Serve; in a fork, run the command."""
    for package in map(import_module, WITH_WORK):
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    for name in WORK:
        import_module(name)
    builtin_registry()
    gc.collect()
    gc.freeze()
    if line := CommandServer(socket.socket(fileno=int(sys.argv[1]))).serve():
        os.chdir(line.folder)
        os.environ.clear()
        os.environ.update(line.environ)
        sys.argv = ["headroom", *line.arguments]
        main()


if __name__ == "__main__":
    run()
