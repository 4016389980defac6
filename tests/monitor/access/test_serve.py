"""The whole service with `auth` and `tls`, as its users run it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
import trustme
from typer.testing import CliRunner

from monitor.access.passwords import PasswordHash
from monitor.api.server_address import TOKEN_VARIABLE
from monitor.cli.commands import app
from tests.monitor.serve_process import free_port, journal_line, running_server
from tests.processes import ENVIRONMENT, eventually, get, headroom

SECRET = "the-secret-of-the-operator"
AUTH = f"""
auth:
  tokens:
    - {{name: prometheus, role: metrics, token_file: scrape-token}}
    - {{name: otto, role: operate, token: {SECRET}}}
  users:
    - {{name: ada, role: operate, password: "{SECRET}"}}
  proxy: {{header: X-Forwarded-User, from: [10.0.0.0/8], role: operate}}
"""
WATCHED_CONFIG = "services: [kinesis]\nregions: [eu-west-1]\n"


async def run_command(*arguments: str, **environ: str) -> tuple[int | None, str]:
    """Return the exit code of a command and its output."""
    async with headroom(*arguments, environ=ENVIRONMENT | environ) as process:
        out, errors = await process.communicate()
        return process.returncode, (out + errors).decode()


async def test_all_urls_except_probes_need_a_login_and_commands_send_their_token(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    (tmp_path / "scrape-token").write_text("the-secret-of-prometheus\n")
    config = tmp_path / "headroom.yaml"
    async with running_server(config, WATCHED_CONFIG + AUTH, aws_environ) as (process, url):
        address = url.removeprefix("http://")
        scraper = {"Authorization": "Bearer the-secret-of-prometheus"}
        operator = {"Authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(trust_env=False, base_url=url) as client:
            denied = await client.get("/api/v1/series")
            assert denied.status_code == 401
            assert denied.json()["error"].startswith("log in first: expected ")
            forged = {"X-Forwarded-User": "ada", "X-Forwarded-For": "10.1.2.3"}
            denied = await client.get("/api/v1/series", headers=forged)
            assert "is not trusted from 127.0.0.1" in denied.json()["error"]
            page = await client.get("/", headers={"Accept": "text/html"})
            assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
            assert (await client.get("/", auth=("ada", SECRET))).status_code == 200
            scraped = await client.get("/metrics", headers=scraper)
            assert 'headroom_auth_failures_total{reason="missing"} 2.0' in scraped.text
            assert (await client.post("/-/reload", headers=scraper)).status_code == 403
            assert (await client.post("/-/reload", headers=operator)).status_code == 200
            assert (await client.post("/firehose/v1")).json()["errorMessage"].startswith("the access key")
            async with client.stream("GET", "/live", auth=("ada", SECRET)) as live:
                assert live.status_code == 200
                config.write_text(WATCHED_CONFIG + journal_line(tmp_path) + AUTH.replace("ada", "bob"))
                assert (await client.post("/-/reload", headers=operator)).status_code == 200
                async with asyncio.timeout(10):
                    received = [line async for line in live.aiter_lines()]
                assert received[-3:] == ["event: ended", "data: 1", ""]
            assert (await client.get("/", auth=("ada", SECRET))).status_code == 401
        assert await run_command("healthcheck", "--address", address) == (0, "")
        code, output = await run_command("alerts", "list", "--address", address, **{TOKEN_VARIABLE: SECRET})
        assert (code, "Remedy: " in output) == (0, True)
        code, output = await run_command("alerts", "list", "--address", address)
        assert (code, "log in first" in output) == (1, True)
        code, output = await run_command(
            "alerts", "list", "--address", address, **{TOKEN_VARIABLE: f"{SECRET} {SECRET}"}
        )
        assert (code, SECRET in output) == (2, False)
        process.terminate()
        _, errors = await process.communicate()
        assert SECRET not in errors.decode() and "the-secret-of-prometheus" not in errors.decode()


def write_certificate(ca: trustme.CA, folder: Path, name: str) -> None:
    """Write a certificate that the authority `ca` issues, and its private key, to a folder."""
    certificate = ca.issue_cert(name, "127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")


@asynccontextmanager
async def serve_over_https(
    config: Path, text: str, trust_environ: Mapping[str, str], environ: Mapping[str, str]
) -> AsyncIterator[str]:
    """Run `headroom serve` with a certificate, and yield its address once it answers.

    environ: the environment variables of the server. trust_environ: those by which commands trust the
    certificate.
    """
    address = f"127.0.0.1:{free_port()}"
    config.write_text(text + journal_line(config.parent))
    serve = "serve", "--config", str(config), "--listen", address
    async with headroom(*serve, environ=environ):

        async def can_connect() -> bool | None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(*address.split(":"))
                writer.close()
                return True
            return None

        async def is_healthy() -> bool | None:
            code, _ = await run_command("healthcheck", "--address", f"https://{address}", **trust_environ)
            return True if code == 0 else None

        await eventually(can_connect)
        await eventually(is_healthy)
        yield address


async def test_serve_answers_over_https_and_reloads_a_new_certificate(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    ca, config = trustme.CA(), tmp_path / "headroom.yaml"
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    write_certificate(ca, tmp_path, "one.example.org")
    trust_environ = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    text = WATCHED_CONFIG + AUTH.replace("_file: scrape-token", ": the-secret-of-prometheus")
    text += "tls: {certificate_file: tls.crt, key_file: tls.key}\n"
    async with serve_over_https(config, text, trust_environ, aws_environ) as address:
        assert await run_command("healthcheck", "--address", address) == (0, "")
        list_alerts = partial(
            run_command, "alerts", "list", "--address", f"https://{address}", **{TOKEN_VARIABLE: SECRET}
        )
        assert (await list_alerts(**trust_environ))[0] == 0
        code, output = await list_alerts()
        assert (code, "certificate verify failed" in output) == (2, True)
        assert await get(f"http://{address}/-/healthy") is None
        async with httpx.AsyncClient(
            trust_env=False, verify=context, base_url=f"https://{address}"
        ) as client:
            client.headers["Authorization"] = f"Bearer {SECRET}"
            assert (await client.get("/api/v1/status")).status_code == 200
            write_certificate(ca, tmp_path, "two.example.org")
            assert (await client.post("/-/reload")).status_code == 200
            assert 'headroom_tls_reloads_total{outcome="done"} 1.0' in (await client.get("/metrics")).text
            (tmp_path / "tls.key").write_text("broken\n")
            rejected = await client.post("/-/reload")
            assert rejected.status_code == 422 and "tls: expected a certificate" in rejected.json()["error"]
            assert (await client.get("/api/v1/status")).status_code == 200
        host, _, port = address.partition(":")
        get_certificate = partial(
            ssl.get_server_certificate, (host, int(port)), ca_certs=trust_environ["SSL_CERT_FILE"]
        )
        assert await asyncio.to_thread(get_certificate) == (tmp_path / "tls.crt").read_text()


@pytest.mark.parametrize("listen", ["0.0.0.0:4070", "[::]:4070", "host.example.org:4070"])
def test_serve_rejects_a_public_address_without_authentication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["serve", "--listen", listen])
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("listen: expected a loopback address")
    (tmp_path / "headroom.yaml").write_text(f'listen: "{listen}"\n')
    for command in (["config", "check"], ["serve"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert result.stderr.startswith("headroom.yaml: listen: expected a loopback address")
    (tmp_path / "headroom.yaml").write_text(f'listen: "{listen}"\nauth: {{allow_anonymous: true}}\n')
    assert CliRunner().invoke(app, ["config", "check"]).exit_code == 0


@pytest.mark.parametrize(
    ("piped_text", "password"),
    [("hunter2\n", b"hunter2"), ("pässwörd\r\n", "pässwörd".encode()), ("two words", b"two words")],
)
def test_password_hash_prints_the_hash_of_the_piped_password(piped_text: str, password: bytes) -> None:
    result = CliRunner().invoke(app, ["config", "password-hash"], input=piped_text)
    assert result.exit_code == 0
    assert PasswordHash.parse(result.stdout.strip()).matches(password)


@pytest.mark.parametrize("piped_text", ["", "\n", "a\nb\n", "a\x00b"])
def test_text_that_cannot_be_a_password_is_rejected(piped_text: str) -> None:
    result = CliRunner().invoke(app, ["config", "password-hash"], input=piped_text)
    assert (result.exit_code, result.stdout) == (2, "")
