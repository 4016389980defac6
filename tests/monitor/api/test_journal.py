"""Failures of the journal and recoveries from them, as the clients of a running Headroom see them."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from monitor.alerting.journal_file import connect
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.tables import STATES
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, delivered_result
from tests.monitor.alerting.harness import configuration
from tests.monitor.api.test_alerts import ALERTS, fire_alerts
from tests.monitor.fleet_server import Server, client_of, error_of, json_of
from tests.registries import REGISTRY


def forbid_growth(connection: sqlite3.Connection) -> None:
    """Keep the file of a connection from growing, as a full disk does."""
    connection.execute("PRAGMA max_page_count = 1")


def make_read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


# A function that makes a connection fail, by the reason in the error.
FAILURES = {"the disk is full": forbid_growth, "it is read-only": make_read_only}


class AcceptingReceiver:
    """A receiver that accepts everything, and remembers the alerts of its notifications."""

    def __init__(self, server: Server) -> None:
        self.alerts: set[str] = set()
        self._server = server
        server.alerting.delivery.configure([DeliveryTarget(name="on-call", send=self._send)])
        server.alerting.engine.configure(configuration(["on-call"]).alerting_settings(REGISTRY))

    async def _send(self, notification: Notification) -> DeliveryResult:
        self.alerts |= {notice.alert for notice in notification.notices}
        return delivered_result("it answered 200")

    async def send_due(self) -> None:
        await self._server.alerting.delivery.senders["on-call"].send_due()


@pytest.mark.parametrize(("reason", "fail"), FAILURES.items(), ids=FAILURES)
async def test_alerts_continue_while_the_disk_fails(
    reason: str, fail: Callable[[sqlite3.Connection], None], tmp_path: Path
) -> None:
    connections: list[sqlite3.Connection] = []

    def connect_and_record(path: Path) -> sqlite3.Connection:
        connections.append(connect(path))
        return connections[-1]

    async with Server.opened(tmp_path, connect_and_record) as server, client_of(server) as client:
        assert (await client.get("/-/ready")).status_code == 200
        fail(connections[-1])
        receiver = AcceptingReceiver(server)
        # So many alerts do not fit into the free pages of the file.
        alerts = await fire_alerts(server, *(f"stream-{n}" for n in range(200)))
        response = await client.get("/-/ready")
        assert response.status_code == 503
        assert f"headroom.db cannot be used: {reason}" in error_of(response)
        assert (await client.get("/-/healthy")).status_code == 200
        assert "headroom_journal_healthy 0.0" in (await client.get("/metrics")).text
        assert (await json_of(client, ALERTS))["total"] == len(alerts)
        await receiver.send_due()
        assert len(receiver.alerts) == 20  # a notification lists 20 alerts at most
        await server.alerting.journal.maintain()  # opens a new connection, which does not fail
        assert (await client.get("/-/ready")).status_code == 200
        assert "headroom_journal_healthy 1.0" in (await client.get("/metrics")).text
        history = (await json_of(client, f"{ALERTS}/history?limit=1000"))["items"]
        assert {change["alert"] for change in history} == {*alerts}
    async with Server.opened(tmp_path) as server, client_of(server) as client:
        assert (await json_of(client, ALERTS))["total"] == len(alerts)


async def test_a_journal_that_is_corrupt_at_the_start_is_set_aside_and_replaced(tmp_path: Path) -> None:
    (tmp_path / "headroom.db").write_bytes(b"nonsense" * 1000)
    async with Server.opened(tmp_path) as server, client_of(server) as client:
        response = await client.get("/-/ready")
        assert response.status_code == 503
        assert "headroom.db cannot be used: it is no database" in error_of(response)
        receiver = AcceptingReceiver(server)
        (orders,) = await fire_alerts(server, "orders")
        await receiver.send_due()
        assert receiver.alerts == {orders}
        await server.alerting.journal.maintain()
        assert (await client.get("/-/ready")).status_code == 200
    (set_aside,) = tmp_path.glob("headroom.db.corrupt-*")
    assert set_aside.read_bytes() == b"nonsense" * 1000
    async with Server.opened(tmp_path) as server, client_of(server) as client:
        assert [alert["id"] for alert in (await json_of(client, ALERTS))["items"]] == [orders]


async def test_rows_of_the_journal_that_are_set_aside_are_counted(
    server: Server, client: httpx.AsyncClient
) -> None:
    await server.publish()
    sample_name = 'headroom_journal_set_aside{what="row"}'
    assert f"{sample_name} 0.0" in (await client.get("/metrics")).text
    journal = server.alerting.journal
    await journal.commit({"judged": b"tomorrow"}, [])
    journal.move_to_unusable(STATES, "judged", ValueError("it is no minute"))
    assert f"{sample_name} 1.0" in (await client.get("/metrics")).text
    assert "1 row of the journal could not be read" in (await client.get("/status")).text
