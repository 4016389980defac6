"""E-mail: the message, and every way in which an SMTP server can accept or reject it."""

import asyncio
import email
import email.policy
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from monitor.notifiers.email import Email, payload
from monitor.outbound.client import OutboundClient
from monitor.outbound.result import DeliveryOutcome
from tests.monitor.notifiers.hostile_texts import TEXTS, hostile_notice
from tests.monitor.notifiers.loopback import (
    build_receiver,
    never_responds,
    notice,
    notification,
    resolved_notice,
    server_tls,
    tcp_server,
)

PASSWORD = "hunter2-hunter2"
FIELDS: dict[str, Any] = {"host": "localhost", "from": "headroom@example.com", "to": ["sre@example.com"]}
RECEIVER = build_receiver(Email, **FIELDS)


def parse(mail: EmailMessage) -> EmailMessage:
    """Return the message as its recipient parses it."""
    return email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)


def text_of_part(mail: EmailMessage, kind: str) -> str:
    """Return the text of a mail in a format, `plain` or `html`."""
    body = mail.get_body([kind])
    assert body
    return str(body.get_content())


# The message.


def test_a_message_has_headers_and_both_formats() -> None:
    mail = parse(payload(notification(notice(), resolved_notice(), more=2), RECEIVER))
    assert (mail["From"], mail["To"]) == ("headroom@example.com", "sre@example.com")
    assert mail["Subject"] == "[3 firing] prod eu-west-1 kinesis"
    assert mail["Message-ID"] == "<n-1@example.com>"
    assert mail["Date"].datetime.timestamp() == 1_767_323_045
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = text_of_part(mail, "plain"), text_of_part(mail, "html")
    assert text.startswith("Firing, warning: Kinesis stream clicks (prod, eu-west-1) writes 3.6 MiB/s of 4")
    assert "<td>3.6 MiB/s of 4 MiB/s (90 %)</td>" in html
    assert '<a href="https://headroom.example.com/s/1?a=1&amp;b=2">page</a>' in html
    assert "and 2 more" in text
    assert "and 2 more" in html


def test_a_message_is_addressed_to_all_recipients() -> None:
    receiver = build_receiver(Email, **FIELDS | {"to": ["a@example.com", "b@example.com"]})
    assert parse(payload(notification(), receiver))["To"] == "a@example.com, b@example.com"


@pytest.mark.parametrize("id", ["n 1", "n>\r\nBcc: x@example.com", "ü", "x" * 500, ""])
def test_any_notification_id_makes_a_valid_message_id(id: str) -> None:
    mails = [parse(payload(notification(id=id_), RECEIVER)) for id_ in (id, id, "other")]
    ids = [mail["Message-ID"] for mail in mails]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].isprintable()
    assert len(ids[0]) < 200
    assert "Bcc" not in mails[0]


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_texts_make_a_valid_message(text: str) -> None:
    mail = payload(notification(hostile_notice(text), group={"account_name": text}), RECEIVER)
    assert max(map(len, mail.as_bytes().split(b"\r\n"))) <= 998  # RFC 5322, 2.1.1
    arrived = parse(mail)
    assert set(arrived.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"),
    }
    html = text_of_part(arrived, "html")
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("<table>") == 1


# The server.


@dataclass
class MailServer:
    """Accepts messages, unless `answers` has another response for the SMTP command or the recipient."""

    answers: dict[str, str] = field(default_factory=dict)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[Any] = field(default_factory=list)
    port: int = 0

    async def handle_MAIL(
        self, _: SMTP, __: Session, envelope: Envelope, sender: str, options: list[str]
    ) -> str:
        envelope.mail_from = sender
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, recipient: str, options: list[str]
    ) -> str:
        response = self.answers.get(recipient, self.answers.get("RCPT", "250 OK"))
        if response.startswith("250"):
            envelope.rcpt_tos.append(recipient)
        return response

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return self.answers.get("DATA", "250 queued as 17")

    def authenticator(
        self, _: SMTP, __: Session, ___: Envelope, ____: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@asynccontextmanager
async def running_mail_server(
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    auth: bool = False,
    answers: dict[str, str] | None = None,
) -> AsyncIterator[MailServer]:
    """Run an SMTP server on loopback, and yield it.

    implicit: TLS from the start instead of STARTTLS. auth: require a login. answers: see `MailServer`.
    """
    mail_server = MailServer(answers or {})

    def session() -> SMTP:
        return SMTP(
            mail_server,
            hostname="localhost",
            tls_context=None if implicit else tls,
            require_starttls=bool(tls) and not implicit,
            auth_required=auth,
            auth_require_tls=not implicit,
            authenticator=mail_server.authenticator if auth else None,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
    mail_server.port = server.sockets[0].getsockname()[1]
    try:
        yield mail_server
    finally:
        server.close()


PLAIN = {**FIELDS, "tls": "none"}


async def send_mail(mail_server: MailServer, client: OutboundClient, **fields: Any) -> Any:
    """Send a notification to a mail server, and return the result."""
    return await build_receiver(Email, **{**FIELDS, "port": mail_server.port} | fields).send(
        notification(), client
    )


async def test_a_message_is_delivered_without_encryption(client: OutboundClient) -> None:
    async with running_mail_server() as mail_server:
        result = await send_mail(mail_server, client, tls="none")
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert result.sentence == "smtp://localhost accepted it: queued as 17"
    [envelope] = mail_server.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("headroom@example.com", ["sre@example.com"])
    assert isinstance(envelope.content, bytes)
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert mail["Message-ID"] == "<n-1@example.com>"


async def test_a_message_is_delivered_after_starttls_and_login(
    client: OutboundClient, authority: trustme.CA
) -> None:
    async with running_mail_server(server_tls(authority), auth=True) as mail_server:
        result = await send_mail(mail_server, client, username="me", password=PASSWORD)
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert mail_server.logins == [(b"me", PASSWORD.encode())]


async def test_a_message_is_delivered_with_tls_from_the_start(
    client: OutboundClient, authority: trustme.CA
) -> None:
    async with running_mail_server(server_tls(authority), implicit=True) as mail_server:
        result = await send_mail(mail_server, client, tls="tls")
    assert result.outcome is DeliveryOutcome.DELIVERED


async def test_no_message_is_sent_to_a_server_without_starttls(client: OutboundClient) -> None:
    async with running_mail_server() as mail_server:
        result = await send_mail(mail_server, client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "unsupported")
    assert not mail_server.envelopes


@pytest.mark.parametrize("implicit", [False, True])
async def test_no_message_is_sent_to_a_server_with_an_untrusted_certificate(
    client: OutboundClient, implicit: bool
) -> None:
    async with running_mail_server(server_tls(trustme.CA()), implicit) as mail_server:
        result = await send_mail(mail_server, client, tls="tls" if implicit else "starttls")
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "tls")
    assert not mail_server.envelopes


async def test_a_delivery_with_a_wrong_password_is_refused(
    client: OutboundClient, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiosmtplib")
    async with running_mail_server(server_tls(authority), auth=True) as mail_server:
        result = await send_mail(mail_server, client, username="me", password="wrong-wrong-wrong")
    assert (result.outcome, result.status, result.reason) == (DeliveryOutcome.REFUSED, 535, "smtp_535")
    assert "wrong-wrong" not in repr(result) + caplog.text


CODES = [
    ("MAIL", "451 later", DeliveryOutcome.RETRY, 451),
    ("MAIL", "553 not allowed", DeliveryOutcome.REFUSED, 553),
    ("RCPT", "450 greylisted", DeliveryOutcome.RETRY, 450),
    ("RCPT", "550 no such user", DeliveryOutcome.REFUSED, 550),
    ("DATA", "452 full", DeliveryOutcome.RETRY, 452),
    ("DATA", "554 spam", DeliveryOutcome.REFUSED, 554),
]


@pytest.mark.parametrize(("command", "response", "outcome", "code"), CODES)
async def test_the_smtp_code_decides_the_outcome(
    client: OutboundClient, command: str, response: str, outcome: DeliveryOutcome, code: int
) -> None:
    async with running_mail_server(answers={command: response}) as mail_server:
        result = await send_mail(mail_server, client, tls="none")
    assert (result.outcome, result.status, result.reason) == (outcome, code, f"smtp_{code}")
    assert result.sentence == f"smtp://localhost answered {code}: {response[4:]}"


async def test_a_message_is_delivered_although_the_server_refuses_some_recipients(
    client: OutboundClient,
) -> None:
    async with running_mail_server(answers={"b@example.com": "550 no such user"}) as mail_server:
        result = await send_mail(mail_server, client, tls="none", to=["a@example.com", "b@example.com"])
    assert result.outcome is DeliveryOutcome.DELIVERED
    assert "but not for b@example.com" in result.sentence
    assert mail_server.envelopes[0].rcpt_tos == ["a@example.com"]


async def greet_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet the client, and close the connection."""
    writer.write(b"220 hello\r\n")


async def send_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond with bytes that are not SMTP."""
    writer.write(b"\x00\xff" * 10_000 + b"\r\n")
    await never_responds(reader, writer)


async def refuse_as_busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse the connection as too busy."""
    writer.write(b"421 too busy\r\n")
    await never_responds(reader, writer)


@pytest.mark.parametrize("handler", [greet_and_close, send_garbage, refuse_as_busy, never_responds])
async def test_a_delivery_is_retried_after_a_closed_connection_or_garbage_or_a_busy_reply_or_silence(
    client: OutboundClient, handler: Any
) -> None:
    async with tcp_server(handler) as port:
        receiver = build_receiver(Email, **PLAIN, port=port).model_copy(update={"timeout": 0.5})
        result = await receiver.send(notification(), client)
    assert result.outcome is DeliveryOutcome.RETRY
    assert result.sentence.startswith("smtp://localhost")
    assert result.reason


async def test_a_receiver_that_does_not_listen_is_unreachable(client: OutboundClient) -> None:
    async with running_mail_server() as mail_server:
        pass
    result = await send_mail(mail_server, client, tls="none")
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "connection")


async def test_a_delivery_to_an_unknown_host_is_retried(client: OutboundClient) -> None:
    result = await build_receiver(Email, **FIELDS | {"host": "nobody.invalid"}).send(notification(), client)
    assert (result.outcome, result.reason) == (DeliveryOutcome.RETRY, "dns")


async def test_a_private_address_is_refused_unless_it_is_allowed(client: OutboundClient) -> None:
    async with running_mail_server() as mail_server:
        result = await send_mail(mail_server, client, tls="none", allow_private=False)
    assert (result.outcome, result.reason) == (DeliveryOutcome.REFUSED, "private_address")
    assert not mail_server.envelopes
