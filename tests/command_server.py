"""Runs `headroom` in forks of a process that has imported all commands. `python -m tests.command_server FD`

Each test process starts one server when it first needs it: starting Python and importing the commands costs
more CPU time than most commands of tests. A fork has its own process id, environment, working folder and
streams. It ends as Python ends, so that tests also see what it prints at its end.

Each byte on the socket FD brings five descriptors: standard input, output and error of a command, a pipe from
which its `CommandLine` is read, and a pipe to which two lines are written: the process id and, once the
process has ended, its exit code.
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

DESCRIPTORS_PER_COMMAND = 5  # as the docstring of this module says

# Commands import these when they run: all modules of IMPORTED_PACKAGES, and IMPORTED_MODULES.
IMPORTED_PACKAGES = (
    "monitor.cli",
    "monitor.config",
    "monitor.dashboards",
    "monitor.quotas",
    "monitor.report",
)
IMPORTED_MODULES = (
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
    """Forks a process for each command, and reports how it ended. reports: the report pipe by process id."""

    def __init__(self, requests: socket.socket) -> None:
        self.requests = requests
        self.reports: dict[int, int] = {}

    def serve(self) -> CommandLine | None:
        """Fork until the socket is closed, and return None. In each fork, return its command line."""
        signal.signal(signal.SIGCHLD, self.report_ended)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, which close the socket
        while True:
            _, descriptors, _, _ = socket.recv_fds(self.requests, 1, DESCRIPTORS_PER_COMMAND)
            if not descriptors:
                return None
            *streams, request, report = descriptors
            with open(request, "rb") as pipe:
                command = msgspec.json.decode(pipe.read(), type=CommandLine)
            if self.fork(report) == 0:
                self.detach(streams)
                return command
            for stream in streams:
                os.close(stream)

    def fork(self, report: int) -> int:
        """Fork; return 0 in the fork, else its process id, which is reported before the fork's end can be."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        self.reports[pid] = report
        if pid:
            os.write(report, b"%d\n" % pid)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return pid

    def detach(self, streams: list[int]) -> None:
        """Make a fork independent of the server: its own signals and streams, and no other descriptors."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        self.requests.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in (*streams, *self.reports.values()):
            os.close(descriptor)

    def report_ended(self, *_: Any) -> None:
        """Report the exit code of each ended process; a signal that killed it is a negative number."""
        while self.reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            report = self.reports.pop(pid)
            os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(report)


def run() -> None:
    """Serve; in a fork, run the command."""
    for package in map(import_module, IMPORTED_PACKAGES):
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    for name in IMPORTED_MODULES:
        import_module(name)
    builtin_registry()
    gc.collect()
    gc.freeze()
    if command_line := CommandServer(socket.socket(fileno=int(sys.argv[1]))).serve():
        os.chdir(command_line.folder)
        os.environ.clear()
        os.environ.update(command_line.environ)
        sys.argv = ["headroom", *command_line.arguments]
        main()


if __name__ == "__main__":
    run()
