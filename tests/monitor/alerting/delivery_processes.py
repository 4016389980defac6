"""Starts processes that deliver notices, and kills them.

`python -m tests.monitor.alerting.delivery_processes` reads lines, each a JSON array: the path of the
journal, the port of the receivers, and either the point at which a process is killed, or the number of kills
at random. For each line, standard output gets a line with the outcome. The n-th notice is a function of n.
The journal contains the last n, so that the next process continues from there. Each process is a fork,
because starting Python takes longer than a process lives.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery
from monitor.alerting.journal import Journal
from monitor.alerting.journal_file import HistoryEntry, JournalFile, connect
from monitor.alerting.schema import MIGRATIONS
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.tables import NOTIFICATIONS, STATES, RowChanges
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.notifiers.notice import Notice, NoticeKind, Notification
from monitor.outbound.result import DeliveryResult, result_of_status, retry_result
from tests.monitor.alerting.pending import NOW, notice, pending_notice

ALERT_COUNT, GROUP_COUNT = 7, 3
RECEIVERS = ("first", "second")
CHANGED_SCHEMA = (*MIGRATIONS, "CREATE TABLE extra (x TEXT); CREATE INDEX of_extra ON extra (x)")

WRITES = ("pending notices", "notification", "result")
MOMENTS = ("before the transaction", "in the transaction", "before its commit", "after its commit")
POINTS = (
    *(f"{write}: {moment}" for write in WRITES for moment in MOMENTS),
    "before an attempt",
    "while sending",
    "after the notification was accepted",
    "during a checkpoint",
    "while the schema is made",
    "while the schema is changed",
)
KILL_DELAY = 1e-4  # seconds for which a checkpoint runs before the kill
LAST_NOTICE = 60  # of processes that are killed at a point
ENDLESS = 10**9  # more notices than a process that is killed at random delivers


STARTED = time.monotonic()


def clock() -> float:
    """Return epoch seconds from a clock that all processes share. It starts at NOW."""
    return NOW + time.monotonic() - STARTED


def nth_notice(number: int) -> Notice:
    """Return the n-th notice."""
    cycle, alert = divmod(number, ALERT_COUNT)
    return notice(number, f"alert-{alert}", NoticeKind.RESOLVED if cycle % 2 else NoticeKind.FIRING)


class Killer:
    """Kills this process when it reaches a point for the `times`-th time; the first time for the schema."""

    def __init__(self, point: str = "", times: int = 3) -> None:
        self.point, self.remaining = point, 1 if "schema" in point else times

    def at(self, point: str, die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)) -> None:
        """Call `die` the `times`-th time that the chosen point is reached."""
        if point == self.point:
            self.remaining -= 1
            if self.remaining == 0:
                die()


def kill_late() -> None:
    """Kill this process from another thread, while the caller continues."""
    threading.Timer(KILL_DELAY, os.kill, [os.getpid(), signal.SIGKILL]).start()


class TracedJournalFile(JournalFile):
    """A journal file that reports each point that it reaches to a killer."""

    def __init__(self, path: Path, killer: Killer, migrations: Iterable[str]) -> None:
        super().__init__(path, self._traced, tuple(migrations))
        self.killer, self.write_name = killer, ""

    def _traced(self, path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(self._trace)
        return connection

    def _trace(self, statement: str) -> None:
        if statement.startswith(("INSERT", "DELETE")):
            self.killer.at(f"{self.write_name}: in the transaction")
        elif statement.startswith("COMMIT"):
            self.killer.at(f"{self.write_name}: before its commit")
        elif statement.startswith("PRAGMA wal_checkpoint"):
            self.killer.at("during a checkpoint", kill_late)
        elif "CREATE INDEX history_in_time" in statement:
            self.killer.at("while the schema is made")
        elif "CREATE INDEX of_extra" in statement:
            self.killer.at("while the schema is changed")

    def write(self, changes: RowChanges, history: Iterable[HistoryEntry]) -> None:
        rows = [row for (table, _), row in changes.items() if table is NOTIFICATIONS]
        if not rows:
            self.write_name = "pending notices"
        else:
            self.write_name = "result" if rows[0] is None else "notification"
        self.killer.at(f"{self.write_name}: before the transaction")
        super().write(changes, history)
        self.killer.at(f"{self.write_name}: after its commit")
        self.write_name = ""


async def send(port: int, killer: Killer, notification: Notification) -> DeliveryResult:
    """Send a notification by HTTP, in two parts."""
    body = msgspec.json.encode(notification)
    request = (
        b"POST /%b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (notification.receiver.encode(), len(body))
        + body
    )
    killer.at("before an attempt")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        return retry_result("connect", str(error))
    writer.write(request[: len(request) // 2])
    await writer.drain()
    killer.at("while sending")
    writer.write(request[len(request) // 2 :])
    status = int((await reader.readline()).split()[1])
    killer.at("after the notification was accepted")
    writer.close()
    return result_of_status("it", status)


async def deliver_all(path: Path, port: int, until: int, killer: Killer, migrations: Iterable[str]) -> None:
    """Continue where the journal ends, and return when everything is delivered."""
    journal = await Journal.open(
        path, file=TracedJournalFile(path, killer, migrations), maintenance_interval=0
    )
    assert journal.failure is None, journal.failure
    delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), clock)
    delivery.configure(
        DeliveryTarget(name=name, send=partial(send, port, killer), concurrency=2, min_backoff=0.01)
        for name in RECEIVERS
    )
    delivery_task = asyncio.create_task(delivery.run())
    last = int(journal.rows_of(STATES)["last notice"].value) if journal.rows_of(STATES) else 0
    while last < until:
        end = min(last + 1 + last % 4, until)  # one to four notices at once
        notices = [nth_notice(number) for number in range(last + 1, end + 1)]
        last = end
        groups = [{"group": str(notice.number % ALERT_COUNT % GROUP_COUNT)} for notice in notices]
        rows = [
            pending_notice(notice, receiver, group=group, due=clock())
            for notice, group in zip(notices, groups, strict=True)
            for receiver in RECEIVERS
        ]
        await delivery.commit({"last notice": b"%d" % last}, notices, rows)
        await journal.maintain()
    while any(status.queued_count for status in delivery.statuses()):
        await asyncio.sleep(0.001)
    delivery_task.cancel()
    await asyncio.gather(delivery_task, return_exceptions=True)
    await journal.close()


def fork_child(
    path: Path,
    port: int,
    until: int,
    killer: Killer | None = None,
    migrations: Iterable[str] = CHANGED_SCHEMA,
) -> int:
    """Fork a child that runs `deliver_all`, and return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        asyncio.run(deliver_all(path, port, until, killer or Killer(), migrations))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def wait_for_child(child: int) -> int:
    """Wait for a child, and return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_killed_at(path: Path, port: int, point: str) -> dict[str, int]:
    """Run a process that completes, a process that is killed at a point, and another that completes.

    The first one is left out if the point is in the making of the schema. Return the exit codes (`before`,
    `killed`, `after`), and the number of the last notice.
    """
    is_first_process = point == "while the schema is made"
    first_exit_code = 0
    if not is_first_process:
        first_exit_code = wait_for_child(fork_child(path, port, LAST_NOTICE // 3, migrations=MIGRATIONS))
    migrations = MIGRATIONS if is_first_process else CHANGED_SCHEMA
    return {
        "before": first_exit_code,
        "killed": wait_for_child(fork_child(path, port, LAST_NOTICE, Killer(point), migrations)),
        "after": wait_for_child(fork_child(path, port, LAST_NOTICE)),
        "notices": LAST_NOTICE,
    }


def run_killed_at_random(path: Path, port: int, kills: int) -> dict[str, int]:
    """Run many processes that are killed after milliseconds, and a process that completes.

    Return how many processes were killed, the exit code of the last, and the number of the last notice.
    """
    killed_count = 0
    for _ in range(kills):
        child = fork_child(path, port, ENDLESS)
        time.sleep(random.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        killed_count += wait_for_child(child) == -signal.SIGKILL
    after = wait_for_child(fork_child(path, port, 0))
    return {"killed": killed_count, "after": after, "notices": asyncio.run(last_notice(path))}


async def last_notice(path: Path) -> int:
    """Read the number of the last notice from a journal."""
    journal = await Journal.open(path, file=JournalFile(path, migrations=CHANGED_SCHEMA))
    number = int(journal.rows_of(STATES)["last notice"].value)
    await journal.close()
    return number


def main() -> None:
    for line in sys.stdin:
        path, port, point_or_kills = json.loads(line)
        run = run_killed_at if point_or_kills in POINTS else run_killed_at_random
        print(json.dumps(run(Path(path), port, point_or_kills)), flush=True)


if __name__ == "__main__":
    main()
