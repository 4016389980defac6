"""A process that tells of transitions, to be killed. `python -m tests.monitor.alerting.feed FILE PORT WHAT`

The ground truth is a function of a number: which alert, which kind. How far it got is a state in the journal,
so that a process that follows goes on with the next number. It forks for every life, as starting takes longer
than a life lasts.
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

from monitor.alerting import journal as journal_module
from monitor.alerting import sender as sender_module
from monitor.alerting.delivery import Delivery, Receiver
from monitor.alerting.delivery_telemetry import DeliveryTelemetry
from monitor.alerting.journal import Journal
from monitor.alerting.notice import Kind, Notice, Notification
from monitor.alerting.schema import MIGRATIONS
from monitor.alerting.store import Changes, Store, connect
from monitor.alerting.tables import FORMED, STATES
from monitor.notifiers.answer import Answer, of_status, retry
from tests.monitor.alerting.owing import NOW, notice, owed

ALERTS, GROUPS = 7, 3
RECEIVERS = ("first", "second")
CHANGED = (*MIGRATIONS, "CREATE TABLE extra (x TEXT); CREATE INDEX of_extra ON extra (x)")

WHATS = ("telling", "forming", "recording")
MOMENTS = ("before the transaction", "in it", "before its commit", "after its commit")
POINTS = (
    *(f"{what}: {moment}" for what in WHATS for moment in MOMENTS),
    "before an attempt",
    "while sending",
    "after it was accepted",
    "during a checkpoint",
    "while the schema is made",
    "while the schema is changed",
)
LATE = 1e-4  # seconds that a checkpoint is let run


BEGUN = time.monotonic()


def clock() -> float:
    """For all lives the same; it begins when the truth is from."""
    return NOW + time.monotonic() - BEGUN


def truth(number: int) -> Notice:
    """The n-th transition."""
    turn, alert = divmod(number, ALERTS)
    return notice(number, f"alert-{alert}", Kind.RESOLVED if turn % 2 else Kind.FIRING)


class Killer:
    """Kills this process the n-th time that it comes to a point."""

    def __init__(self, point: str = "", times: int = 3) -> None:
        self.point, self.left = point, 1 if "schema" in point else times

    def at(self, point: str, die: Callable[[], None] = lambda: os.kill(os.getpid(), signal.SIGKILL)) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                die()


def die_late() -> None:
    """While the thread that calls goes on."""
    threading.Timer(LATE, os.kill, [os.getpid(), signal.SIGKILL]).start()


class Watched(Store):
    """A store that comes to points."""

    def __init__(self, path: Path, killer: Killer, migrations: Iterable[str]) -> None:
        super().__init__(path, self._traced, tuple(migrations))
        self.killer, self.what = killer, ""

    def _traced(self, path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(self._trace)
        return connection

    def _trace(self, statement: str) -> None:
        if statement.startswith(("INSERT", "DELETE")):
            self.killer.at(f"{self.what}: in it")
        elif statement.startswith("COMMIT"):
            self.killer.at(f"{self.what}: before its commit")
        elif statement.startswith("PRAGMA wal_checkpoint"):
            self.killer.at("during a checkpoint", die_late)
        elif "CREATE INDEX history_in_time" in statement:
            self.killer.at("while the schema is made")
        elif "CREATE INDEX of_extra" in statement:
            self.killer.at("while the schema is changed")

    def apply(self, changes: Changes, told: Iterable[Notice]) -> None:
        formed = [row for (table, _), row in changes.items() if table is FORMED]
        self.what = "telling" if not formed else "recording" if formed[0] is None else "forming"
        self.killer.at(f"{self.what}: before the transaction")
        super().apply(changes, told)
        self.killer.at(f"{self.what}: after its commit")
        self.what = ""


async def send(port: int, killer: Killer, made: Notification) -> Answer:
    """By HTTP, in two parts."""
    body = msgspec.json.encode(made)
    request = b"POST /%b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (made.receiver.encode(), len(body)) + body
    killer.at("before an attempt")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        return retry("connect", str(error))
    writer.write(request[: len(request) // 2])
    await writer.drain()
    killer.at("while sending")
    writer.write(request[len(request) // 2 :])
    status = int((await reader.readline()).split()[1])
    killer.at("after it was accepted")
    writer.close()
    return of_status("it", status)


async def live(path: Path, port: int, until: int, killer: Killer, migrations: Iterable[str]) -> None:
    """Tell all from where the journal stands, and end when everything has arrived."""
    journal = await Journal.open(path, store=Watched(path, killer, migrations))
    assert journal.healthy, journal.trouble
    delivery = Delivery(journal, DeliveryTelemetry(CollectorRegistry()), clock)
    delivery.configure(Receiver(name=name, send=partial(send, port, killer), width=2) for name in RECEIVERS)
    running = asyncio.create_task(delivery.run())
    last = int(journal.all(STATES)["feed"].value) if journal.all(STATES) else 0
    while last < until:
        told = [truth(number) for number in range(last + 1, min(last + 1 + last % 4, until) + 1)]
        last = told[-1].number
        groups = [{"group": str(one.number % ALERTS % GROUPS)} for one in told]
        rows = [
            owed(one, receiver, group=group, due=clock())
            for one, group in zip(told, groups, strict=True)
            for receiver in RECEIVERS
        ]
        await delivery.tell({"feed": b"%d" % last}, told, rows)
        await journal.tend()
    while any(standing.queued for standing in delivery.standings()):
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await journal.close()


def born(
    path: Path, port: int, until: int, killer: Killer | None = None, migrations: Iterable[str] = CHANGED
) -> int:
    """A child that lives; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        asyncio.run(live(path, port, until, killer or Killer(), migrations))
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def ended(child: int) -> int:
    """The exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(path: Path, port: int, point: str) -> dict[str, int]:
    """A life that ends well, one that is killed, and one that ends well again."""
    before = 0 if point == "while the schema is made" else ended(born(path, port, 20, migrations=MIGRATIONS))
    killed = ended(born(path, port, 60, Killer(point), MIGRATIONS if "made" in point else CHANGED))
    return {"before": before, "killed": killed, "after": ended(born(path, port, 60)), "told": 60}


def killed_at_random(path: Path, port: int, kills: int) -> dict[str, int]:
    """Many lives that are killed after some milliseconds each, and one that ends well."""
    killed = 0
    for _ in range(kills):
        child = born(path, port, 10**9)
        time.sleep(random.uniform(0.005, 0.1))
        os.kill(child, signal.SIGKILL)
        killed += ended(child) == -signal.SIGKILL
    after = ended(born(path, port, 0))
    journal = asyncio.run(Journal.open(path, store=Store(path, migrations=CHANGED)))
    return {"killed": killed, "after": after, "told": int(journal.all(STATES)["feed"].value)}


def main() -> None:
    path, port, what = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    sender_module.LEAST_WAIT = 0.01  # type: ignore[assignment]
    journal_module.TIDY = 0
    outcome = killed_at_random(path, port, int(what)) if what.isdigit() else killed_at(path, port, what)
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
