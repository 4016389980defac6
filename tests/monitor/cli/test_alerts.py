"""`headroom alerts` with a running Headroom, and with receivers on loopback."""

import asyncio
import json
import re
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
import pytest_asyncio
from aiohttp import web
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from monitor.cli.commands import app
from monitor.lib.current_user import USER_VARIABLES, current_user
from tests.monitor.notifiers.loopback import http_server
from tests.monitor.serve_process import free_port
from tests.processes import demo_server, eventually, get, headroom

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def alerts(*arguments: str) -> Result:
    """Run `headroom alerts` in a thread, beside the event loop of the server."""
    return await asyncio.to_thread(CliRunner().invoke, app, ("alerts", *arguments))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo_address() -> AsyncIterator[str]:
    """The address of a demo with at least one alert."""
    async with demo_server() as address:

        async def has_alert() -> bool | None:
            response = await get(f"http://{address}/api/v1/alerts")
            return True if response and response.json()["items"][:1] else None

        await eventually(has_alert)
        yield address


async def listed_alerts(demo_address: str) -> list[list[str]]:
    """Return the columns of each alert that `headroom alerts list` prints."""
    result = await alerts("list", "--address", demo_address)
    assert result.exit_code == 0, result.output
    return [line.split("\t") for line in result.stdout.splitlines()]


async def handling_of(demo_address: str, identity: str) -> str:
    """Return the column that says how a listed alert is handled."""
    return next(columns[4] for columns in await listed_alerts(demo_address) if columns[0] == identity)


async def test_the_list_begins_with_unhandled_alerts_on_throttling(demo_address: str) -> None:
    identity, state, severity, summary, handling = (await listed_alerts(demo_address))[0]
    assert re.fullmatch("[0-9a-f]{16}", identity)
    assert (state, severity, handling) == ("firing", "critical", "")
    assert "throttled/s" in summary and "Remedy: " in summary


async def test_an_alert_is_acknowledged_and_silenced_and_both_are_undone(demo_address: str) -> None:
    identity, _, _, summary, _ = (await listed_alerts(demo_address))[0]
    result = await alerts("ack", identity, "--comment", "on it", "--author", "ann", "--address", demo_address)
    assert result.exit_code == 0
    assert result.stdout.split(" (")[0] == f"acknowledged: {summary.split(' (')[0]}"
    assert (await listed_alerts(demo_address))[0][0] != identity
    result = await alerts(
        "silence", 'region=~".+"', "--duration", "2h", "--comment", "test", "--address", demo_address
    )
    assert result.exit_code == 0
    silence = result.stdout.split()[0]
    handling = await handling_of(demo_address, identity)
    assert handling.startswith(f"acknowledged by ann, silenced by {silence}")
    result = await alerts("end-silence", silence, "--address", demo_address)
    assert (result.exit_code, result.stdout) == (0, 'region=~".+" is no longer silenced\n')
    assert "silenced" not in await handling_of(demo_address, identity)
    await alerts("ack", identity, "--comment", "mine", "--author", "bob", "--address", demo_address)
    result = await alerts("unack", identity, "--address", demo_address)
    assert result.exit_code == 0
    assert result.stdout.startswith("acknowledged by ann, as before (on it): ")
    result = await alerts("unack", identity, "--address", demo_address)
    assert result.exit_code == 0
    assert result.stdout.split(" (")[0] == f"no longer acknowledged: {summary.split(' (')[0]}"
    assert "acknowledged" not in await handling_of(demo_address, identity)


async def test_the_list_is_filtered_and_printed_as_json(demo_address: str) -> None:
    options = ("--format", "json", "--address", demo_address)
    all_alerts = json.loads((await alerts("list", *options)).stdout)["items"]
    filters = ('severity="critical"', "--state", "firing")
    filtered_alerts = json.loads((await alerts("list", *filters, *options)).stdout)["items"]
    expected_ids = {
        alert["id"] for alert in all_alerts if (alert["severity"], alert["state"]) == ("critical", "firing")
    }
    assert {alert["id"] for alert in filtered_alerts} == expected_ids != set()


async def test_a_silence_that_matches_nothing_is_reported_with_the_nearest_value(demo_address: str) -> None:
    silenced = await alerts(
        "silence", 'service="kineis"', "--duration", "1h", "--comment", "test", "--address", demo_address
    )
    assert silenced.stderr == 'It matches nothing. No series has service="kineis"; did you mean kinesis?\n'
    await alerts("end-silence", silenced.stdout.split()[0], "--address", demo_address)


async def test_a_replay_without_dead_letters_sends_nothing(demo_address: str) -> None:
    result = await alerts("replay", "--address", demo_address)
    assert (result.exit_code, result.stdout) == (0, "notifications sent again: 0\n")


REJECTIONS: dict[str, tuple[list[str], str]] = {
    "ack of an unknown alert": (["ack", "0123", "--comment", "x"], "no alert with the id 0123 fires"),
    "unack of an unknown alert": (["unack", "0123"], "no alert with the id 0123 fires"),
    "an alert id that is not UTF-8": (
        ["ack", "x \udcff", "--comment", "x"],
        "no alert with the id x ? fires",
    ),
    "an empty comment": (["ack", "0123", "--comment", ""], "comment: "),
    "an invalid matcher": (["silence", "a==b", "--duration", "1h", "--comment", "x"], "column 3: "),
    "an invalid duration": (["silence", "a=b", "--duration", "soon", "--comment", "x"], "duration: "),
    "an unknown silence": (["end-silence", "0123"], "no silence has the id 0123"),
    "an unknown receiver": (["replay", "--receiver", "a b"], "no receiver is called a b"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REJECTIONS.values(), ids=REJECTIONS)
async def test_a_request_that_the_api_rejects_is_reported_in_one_line(
    demo_address: str, arguments: list[str], sentence: str
) -> None:
    result = await alerts(*arguments, "--address", demo_address)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(sentence) and result.stderr.count("\n") == 1


@contextmanager
def one_response_server(response: bytes) -> Iterator[str]:
    """Run a server that responds to one request with these bytes, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


INVALID_RESPONSES = {
    "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "JSON that is no object": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    "no HTTP": b"220 smtp.example.org\r\n",
    "no bytes": b"",
}


@pytest.mark.parametrize("response", INVALID_RESPONSES.values(), ids=INVALID_RESPONSES)
async def test_an_address_of_another_server_is_reported_in_one_line(response: bytes) -> None:
    with one_response_server(response) as address:
        result = await alerts("list", "--address", address)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{address}: ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:http", "a b", "[::1", ""])
async def test_an_invalid_address_or_one_without_a_listener_is_reported_in_one_line(address: str) -> None:
    result = await alerts("list", "--address", address)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{address}: ") and result.stderr.count("\n") == 1


async def test_the_user_name_is_read_from_the_environment_or_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in USER_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    assert current_user(123_456_789) == "user 123456789"
    assert current_user(0) == "root"
    monkeypatch.setenv("USER", "ada")
    assert current_user(123_456_789) == "ada"


def write_config(folder: Path, url: str, **further_keys: str) -> str:
    """Write a configuration with the receiver `hook`, and return its path. further_keys: values in YAML."""
    lines = [
        f"journal: {folder}/headroom.db",
        "receivers:",
        f"  - {{name: hook, type: webhook, url: {url}, allow_insecure: true, allow_private: true}}",
        *(f"{key}: {value}" for key, value in further_keys.items()),
    ]
    (folder / "headroom.yaml").write_text("\n".join(lines))
    return str(folder / "headroom.yaml")


async def test_the_trial_of_a_receiver_that_accepts_it_succeeds(tmp_path: Path) -> None:
    async with http_server() as server:
        result = await alerts("test-receiver", "hook", "--config", write_config(tmp_path, server.url))
    assert result.exit_code == 0
    firing_line, resolved_line = result.stdout.splitlines()
    assert firing_line.startswith("firing: delivered:")
    assert resolved_line.startswith("resolved: delivered:")
    assert [body["type"] for body in server.bodies] == ["alerts.firing", "alerts.resolved"]


async def test_the_trial_of_a_receiver_that_rejects_it_fails(tmp_path: Path) -> None:
    async with http_server(web.Response(status=400, text="no such room")) as server:
        result = await alerts(
            "test-receiver", "hook", "--config", write_config(tmp_path, server.url + "/t0ken")
        )
    assert result.exit_code == 1
    assert "answered 400: no such room" in result.stdout
    assert "t0ken" not in result.output


async def test_the_trial_of_a_receiver_that_is_unavailable_says_that_nothing_was_delivered(
    tmp_path: Path,
) -> None:
    async with http_server(web.Response(status=503)) as server:
        result = await alerts("test-receiver", "hook", "--config", write_config(tmp_path, server.url))
    assert result.exit_code == 1
    assert result.stdout.startswith("firing: not delivered, a retry may succeed: ")


async def test_the_trial_of_an_sns_receiver_uses_the_configured_endpoint_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**credentials, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    aws = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    aws.start()
    try:
        url = "http://{}:{}".format(*aws.get_host_and_port())
        sns = boto3.client("sns", region_name="eu-west-1", endpoint_url=url)
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        sns.close()
        config = tmp_path / "headroom.yaml"
        config.write_text(
            f"endpoint_url: {url}\nreceivers: [{{name: topic, type: sns, topic_arn: '{topic}'}}]\n"
        )
        result = await alerts("test-receiver", "topic", "--config", str(config))
    finally:
        aws.stop()
    assert result.exit_code == 0, result.output
    assert result.stdout.count("delivered: SNS accepted it as message ") == 2


async def test_an_unknown_receiver_is_reported_with_the_configured_receivers(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9")
    result = await alerts("test-receiver", "hok", "--config", config)
    assert (result.exit_code, result.stderr) == (2, "no receiver is called hok; configured receivers: hook\n")
    Path(config).write_text("receivers: [{name: hook, type: webhok}]\nservces: []\n")
    result = await alerts("test-receiver", "hook", "--config", config)
    assert result.exit_code == 2
    assert "webhok" in result.stderr and "servces" in result.stderr


async def check_that_a_second_headroom_does_not_start(config: str) -> None:
    """Check that a second Headroom with the journal of a running one ends with exit code 2."""
    async with headroom("serve", "--config", config, "--listen", f"127.0.0.1:{free_port()}") as second:
        _, errors = await second.communicate()
    assert second.returncode == 2
    assert "headroom.db is held by " in errors.decode()
    assert "Traceback" not in errors.decode()


async def test_dead_letters_are_sent_again(tmp_path: Path, aws_environ: dict[str, str]) -> None:
    """A whole Headroom with throttled S3 requests, whose webhook rejects notifications at first."""
    url = f"http://127.0.0.1:{free_port()}"
    address = url.removeprefix("http://")
    async with http_server(web.Response(status=400), web.Response()) as server:
        further_keys = {"services": "[s3]", "judge_interval": "1", "route": "{group_wait: 0}"}
        config = write_config(tmp_path, server.url, **further_keys)
        serve = "serve", "--config", config, "--listen", address
        async with headroom(*serve, environ=aws_environ) as process:

            async def has_dead_letter() -> bool | None:
                response = await get(f"{url}/api/v1/deliveries")
                return True if response and response.json()["items"][0]["dead_letters"] else None

            await eventually(has_dead_letter)
            await check_that_a_second_headroom_does_not_start(config)
            result = await alerts("replay", "--receiver", "hook", "--address", address)
            assert (result.exit_code, result.stdout) == (0, "notifications sent again: 1\n")

            async def is_sent_again() -> bool | None:
                return True if len(server.requests) >= 2 else None

            await eventually(is_sent_again)
            (_, first_headers, _), (_, second_headers, _) = server.requests[:2]
            assert first_headers["webhook-id"] == second_headers["webhook-id"]
            assert server.bodies[1]["data"]["alerts"][0]["zone"] == "saturated"
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    assert await get(f"{url}/-/healthy") is None
