"""Sends e-mail through an SMTP server, encrypted from the start or by STARTTLS."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from monitor.notifiers.notice import Notification
from monitor.notifiers.receiver import BaseReceiver
from monitor.outbound.result import DeliveryOutcome, DeliveryResult, delivered_result, excerpt, refused_result
from monitor.schema.fields import NON_EMPTY, Port, choice
from monitor.schema.problems import problem, unexpected
from monitor.schema.secrets import Secret
from monitor.schema.types import Text

if TYPE_CHECKING:
    from email.message import EmailMessage

    from aiosmtplib import SMTPResponseException

    from monitor.outbound.client import OutboundClient

DEFAULT_PORTS = {"starttls": 587, "tls": 465, "none": 25}
PERMANENT_FAILURE = 500  # the lowest reply code of a permanent failure (RFC 5321, 4.2.1)


def _require_mailbox(value: str) -> str:
    # Stricter than RFC 5321: a quoted local part is rare, and can be used to inject headers.
    if not re.fullmatch(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value, re.ASCII):
        raise unexpected("an e-mail address such as oncall@example.com", value)
    return value


def _require_host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", value):
        raise unexpected("a host such as smtp.example.com", value)
    return value


Mailbox = Annotated[Text, AfterValidator(_require_mailbox)]


class Email(BaseReceiver):
    """Mailboxes, through an SMTP server."""

    type: Literal["email"] = "email"
    host: Annotated[Text, AfterValidator(_require_host)] = Field(
        description="The SMTP server.", examples=["smtp.example.com"]
    )
    port: Port | None = Field(
        default=None, description="Port of the SMTP server; default: 587, 465 or 25, by `tls`."
    )
    tls: Annotated[Literal["starttls", "tls", "none"], choice(*DEFAULT_PORTS)] = Field(
        default="starttls", description="Encryption of the connection; none requires allow_insecure."
    )
    username: Text | None = Field(
        default=None, description="The user to log in as; default: no login.", examples=["headroom"]
    )
    password: Secret | None = Field(
        default=None, description="The password of `username`.", examples=["example-password"]
    )
    sender: Mailbox = Field(
        alias="from", description="The sender's address.", examples=["headroom@example.com"]
    )
    to: Annotated[tuple[Mailbox, ...], NON_EMPTY] = Field(
        description="The recipients' addresses.", examples=[["oncall@example.com"]]
    )

    @property
    def _port(self) -> int:
        return self.port or DEFAULT_PORTS[self.tls]

    async def addresses(self, client: "OutboundClient") -> Sequence[str]:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [f"{'smtps' if self.tls == 'tls' else 'smtp'}://{host}:{self._port}"]

    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        import asyncio

        from aiosmtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

        from monitor.outbound.client import failure_result

        server = f"smtp://{self.host}"
        try:
            async with asyncio.timeout(self.timeout):
                return await self._send(payload(notification, self), client)
        except SMTPRecipientsRefused as error:
            return self._result_of_code(max(error.recipients, key=lambda refusal: refusal.code))
        except SMTPResponseException as error:
            return self._result_of_code(error)
        except (SMTPException, OSError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            if isinstance(cause, OSError):
                return failure_result(server, cause, self.policy)
            # The server lacks STARTTLS or an authentication method; aiosmtplib has no subclass for that.
            return refused_result("unsupported", f"{server}: {excerpt(str(error), self.policy.secrets)}")

    async def _send(self, mail: "EmailMessage", client: "OutboundClient") -> DeliveryResult:
        from aiosmtplib import SMTP, SMTPException

        sock = await client.open_socket(self.host, self._port, self.policy)
        smtp = SMTP(
            hostname=self.host,
            sock=sock,
            local_hostname=_address_literal(sock.getsockname()[0]),
            timeout=self.timeout,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=client.tls,
        )
        try:
            await smtp.connect()
            if self.username and self.password:
                await smtp.login(self.username, self.password.get_secret_value())
            refused_recipients, response = await smtp.send_message(mail)
            with suppress(SMTPException):  # the message is accepted already
                await smtp.quit()
        finally:
            smtp.close()
        except_for = f", but not for {', '.join(refused_recipients)}" if refused_recipients else ""
        return delivered_result(
            f"smtp://{self.host} accepted it{except_for}: {excerpt(response, self.policy.secrets)}"
        )

    def _result_of_code(self, error: "SMTPResponseException") -> DeliveryResult:
        outcome = DeliveryOutcome.REFUSED if error.code >= PERMANENT_FAILURE else DeliveryOutcome.RETRY
        sentence = f"smtp://{self.host} answered {error.code}: {excerpt(error.message, self.policy.secrets)}"
        return DeliveryResult(outcome, sentence, f"smtp_{error.code}", error.code)

    @model_validator(mode="after")
    def _check_login_and_tls(self) -> Self:
        if self.tls == "none" and not self.allow_insecure:
            raise problem("expected allow_insecure: true beside tls: none, found no allow_insecure")
        if (self.username is None) != (self.password is None):
            raise problem("expected username and password together, found one of them")
        return self


def payload(notification: Notification, receiver: Email) -> "EmailMessage":
    """Return the message to send."""
    from monitor.notifiers import email_message

    return email_message.build_message(notification, receiver.sender, receiver.to)


def _address_literal(address: str) -> str:
    """Format this machine's address for EHLO (RFC 5321, 4.1.3), so that it needs no resolvable name."""
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"
