"""Notifications to a service manager, received on a real datagram socket, as by systemd."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor.lib.service_manager import ServiceManager, state_notifications
from tests.aws_environment import NO_CREDENTIALS
from tests.monitor.serve_process import free_port, journal_line
from tests.processes import ENVIRONMENT, headroom

OWN_PID = str(os.getpid())


@pytest.fixture
def notify_socket(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket that receives notifications, and its address."""
    address = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(address)
        receiver.setblocking(False)
        yield receiver, address


async def next_notification(receiver: socket.socket, seconds: float = 10) -> list[str]:
    async with asyncio.timeout(seconds):
        received = await asyncio.get_running_loop().sock_recv(receiver, 4096)
    return received.decode().split("\n")


async def test_the_service_manager_is_notified_when_the_process_is_ready_alive_and_stopping(
    notify_socket: tuple[socket.socket, str],
) -> None:
    receiver, address = notify_socket
    stopping = asyncio.Event()
    async with state_notifications(ServiceManager(address, alive_interval=0.001), "listening", stopping):
        assert await next_notification(receiver) == ["READY=1", "STATUS=listening"]
        assert [await next_notification(receiver) for _ in range(3)] == [["WATCHDOG=1"]] * 3
        stopping.set()
        while (message := await next_notification(receiver)) == ["WATCHDOG=1"]:
            pass
        assert message == ["STOPPING=1"]


async def test_without_a_watchdog_the_process_does_not_notify_that_it_is_alive(
    notify_socket: tuple[socket.socket, str],
) -> None:
    receiver, address = notify_socket
    async with state_notifications(
        ServiceManager.of({"NOTIFY_SOCKET": address}), "listening", asyncio.Event()
    ):
        assert (await next_notification(receiver))[0] == "READY=1"
        await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        receiver.recv(1)


async def test_an_abstract_socket_address_is_accepted() -> None:
    name = f"headroom-{OWN_PID}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(f"\0{name}")
        receiver.setblocking(False)
        manager = ServiceManager.of({"NOTIFY_SOCKET": f"@{name}"})
        assert manager
        manager.notify("READY=1")
        assert await next_notification(receiver) == ["READY=1"]


async def test_a_service_manager_that_does_not_listen_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with state_notifications(ServiceManager(str(tmp_path / "gone")), "listening", asyncio.Event()):
            pass
    assert "the service manager cannot be notified of READY=1" in caplog.text


async def test_serve_notifies_the_service_manager_when_it_is_ready_and_stopping(
    notify_socket: tuple[socket.socket, str], tmp_path: Path
) -> None:
    """Serve is ready even without AWS: an outage of AWS is no reason to restart it."""
    receiver, address = notify_socket
    listen = f"127.0.0.1:{free_port()}"
    config = tmp_path / "headroom.yaml"
    config.write_text(f"regions: [eu-west-1]\n{journal_line(tmp_path)}")
    environ = ENVIRONMENT | NO_CREDENTIALS | {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"}
    serve = "serve", "--config", str(config), "--listen", listen
    async with headroom(*serve, environ=environ) as process:
        assert await next_notification(receiver, 120) == ["READY=1", f"STATUS=listening on http://{listen}"]
        assert await next_notification(receiver) == ["WATCHDOG=1"]
        process.send_signal(signal.SIGTERM)
        while (message := await next_notification(receiver)) == ["WATCHDOG=1"]:
            pass
        assert message == ["STOPPING=1"]
        assert await process.wait() == 0


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": ""}, None),
        ({"NOTIFY_SOCKET": "vsock:2:1"}, None),
        ({"WATCHDOG_USEC": "3000000"}, None),
        ({"NOTIFY_SOCKET": "/run/n"}, ServiceManager("/run/n")),
        ({"NOTIFY_SOCKET": "@n"}, ServiceManager("\0n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000"}, ServiceManager("/n", 1.5)),
        (
            {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": OWN_PID},
            ServiceManager("/n", 1.5),
        ),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, ServiceManager("/n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "0"}, ServiceManager("/n")),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, ServiceManager("/n")),
    ],
)
def test_the_address_and_the_watchdog_of_the_service_manager_are_read_from_the_environment(
    environ: dict[str, str], expected: ServiceManager | None
) -> None:
    assert ServiceManager.of(environ) == expected
