"""E-mail, through an SMTP server, encrypted from the start or by STARTTLS."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from typing import Annotated, Literal, Self

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponseException,
)
from pydantic import AfterValidator, Field, model_validator

from monitor.alerting.notice import Notification
from monitor.config_errors import problem, unexpected
from monitor.config_types import Text
from monitor.notifiers import email_message
from monitor.notifiers.answer import Answer, Outcome, delivered, excerpt, refused
from monitor.notifiers.fields import SOME, Port, choice
from monitor.notifiers.receiver import Base
from monitor.notifiers.secrets import Secret
from monitor.outbound import Outbound, failed

PORTS = {"starttls": 587, "tls": 465, "none": 25}
FINAL = 500  # codes from here on say that trying again is no use (RFC 5321, 4.2.1)


def _mailbox(value: str) -> str:
    # Narrower than RFC 5321: what a quoted local part could hold is used for no mailbox, but for injection.
    if not re.fullmatch(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value, re.ASCII):
        raise unexpected("an e-mail address such as oncall@example.com", value)
    return value


def _host(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", value):
        raise unexpected("a host such as smtp.example.com", value)
    return value


Mailbox = Annotated[Text, AfterValidator(_mailbox)]


class Email(Base):
    """Mailboxes, and the server that takes messages for them."""

    type: Literal["email"] = "email"
    host: Annotated[Text, AfterValidator(_host)] = Field(description="The SMTP server.")
    port: Port | None = Field(default=None, description="Its port; default: 587, 465 or 25, by `tls`.")
    tls: Annotated[Literal["starttls", "tls", "none"], choice(*PORTS)] = Field(
        default="starttls", description="How it is encrypted; none asks for allow_insecure."
    )
    username: Text | None = Field(default=None, description="To log in as; default: no login.")
    password: Secret | None = Field(default=None, description="The password of `username`.")
    sender: Mailbox = Field(alias="from", description="The address that it is from.")
    to: Annotated[tuple[Mailbox, ...], SOME] = Field(description="The addresses that it is for.")

    @property
    def _port(self) -> int:
        return self.port or PORTS[self.tls]

    async def addresses(self, client: Outbound) -> Sequence[str]:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return [f"{'smtps' if self.tls == 'tls' else 'smtp'}://{host}:{self._port}"]

    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        who = f"smtp://{self.host}"
        try:
            async with asyncio.timeout(self.timeout):
                return await self._sent(payload(notification, self), client)
        except SMTPRecipientsRefused as error:
            return self._of_code(max(error.recipients, key=lambda one: one.code))
        except SMTPResponseException as error:
            return self._of_code(error)
        except (SMTPException, OSError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            if isinstance(cause, OSError):
                return failed(who, cause, self.policy)
            # STARTTLS or a way to log in is missing: no subclass, so no other name, is given to these.
            return refused("unsupported", f"{who}: {excerpt(str(error), self.policy.secrets)}")

    async def _sent(self, mail: EmailMessage, client: Outbound) -> Answer:
        sock = await client.connected(self.host, self._port, self.policy)
        smtp = SMTP(
            hostname=self.host,
            sock=sock,
            local_hostname=_literal(sock.getsockname()[0]),
            timeout=self.timeout,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            tls_context=client.tls,
        )
        try:
            await smtp.connect()
            if self.username and self.password:
                await smtp.login(self.username, self.password.get_secret_value())
            left_out, said = await smtp.send_message(mail)
            with suppress(SMTPException):  # it has the message already
                await smtp.quit()
        finally:
            smtp.close()
        but = f", but not for {', '.join(left_out)}" if left_out else ""
        return delivered(f"smtp://{self.host} took it{but}: {excerpt(said, self.policy.secrets)}")

    def _of_code(self, error: SMTPResponseException) -> Answer:
        outcome = Outcome.REFUSED if error.code >= FINAL else Outcome.RETRY
        sentence = f"smtp://{self.host} answered {error.code}: {excerpt(error.message, self.policy.secrets)}"
        return Answer(outcome, sentence, f"smtp_{error.code}", error.code)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.tls == "none" and not self.allow_insecure:
            raise problem("expected allow_insecure: true beside tls: none, found none")
        if (self.username is None) != (self.password is None):
            raise problem("expected username and password together, found one of them")
        return self


def payload(notification: Notification, receiver: Email) -> EmailMessage:
    """The message that is sent."""
    return email_message.message(notification, receiver.sender, receiver.to)


def _literal(address: str) -> str:
    """What we call ourselves: our address (RFC 5321, 4.1.3), which needs no name that others can resolve."""
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"
