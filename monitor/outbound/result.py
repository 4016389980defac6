"""The result of one attempt to deliver a request or message: a value, never an exception."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from monitor.lib.text import single_line, truncate

MAX_EXCERPT = 200  # characters of a response that `sentence` quotes
MAX_RETRY_AFTER = 24 * 3600.0  # seconds; a longer Retry-After is cut to a day
MIN_SECRET_LENGTH = 6  # characters; redacting a shorter secret would redact ordinary words
RETRYABLE_STATUSES = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class DeliveryOutcome(StrEnum):
    """The outcome of an attempt: accepted, worth a retry, or refused for good."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of an attempt.

    sentence: describes the result; it contains no secret, and only the host of the receiver's address.
    reason: the value of the metrics' label `reason`: `http_503`, `timeout`, `tls`; empty when delivered.
    status: the HTTP or SMTP status, if there was a response. retry_after: seconds, as the receiver requested.
    headers: the headers of the HTTP response.
    """

    outcome: DeliveryOutcome
    sentence: str
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def delivered_result(sentence: str, status: int | None = None) -> DeliveryResult:
    """Return the result of an attempt that the receiver accepted."""
    return DeliveryResult(DeliveryOutcome.DELIVERED, sentence, status=status)


def retry_result(reason: str, sentence: str) -> DeliveryResult:
    """Return the result of an attempt that failed and is worth repeating."""
    return DeliveryResult(DeliveryOutcome.RETRY, sentence, reason)


def refused_result(reason: str, sentence: str) -> DeliveryResult:
    """Return the result of an attempt that would fail in the same way again."""
    return DeliveryResult(DeliveryOutcome.REFUSED, sentence, reason)


def result_of_status(
    host: str, status: int, text: str = "", retry_after: float | None = None
) -> DeliveryResult:
    """Return the result for an HTTP status. text: the start of the response, without secrets.

    408, 425, 429 and 5xx are retried. A redirect is refused: it could lead anywhere, and the configured
    address is evidently wrong.
    """
    sentence = f"{host} answered {status}" + (f": {text}" if text else "")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return delivered_result(sentence, status)
    is_retryable = status in RETRYABLE_STATUSES or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    outcome = DeliveryOutcome.RETRY if is_retryable else DeliveryOutcome.REFUSED
    return DeliveryResult(outcome, sentence, f"http_{status}", status, retry_after if is_retryable else None)


def worst_result(results: Iterable[DeliveryResult]) -> DeliveryResult:
    """Return the first of the worst results: the result of several attempts that must all succeed."""
    return max(results, key=lambda result: WORST_LAST.index(result.outcome))


def best_result(results: Iterable[DeliveryResult]) -> DeliveryResult:
    """Return the first of the best results: the result of several attempts if one success suffices."""
    return min(results, key=lambda result: BEST_FIRST.index(result.outcome))


# RETRY outranks REFUSED in both orders: an attempt is not given up while a retry may still deliver.
WORST_LAST = (DeliveryOutcome.DELIVERED, DeliveryOutcome.REFUSED, DeliveryOutcome.RETRY)
BEST_FIRST = (DeliveryOutcome.DELIVERED, DeliveryOutcome.RETRY, DeliveryOutcome.REFUSED)


def parse_retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header requests, up to a day; None for an invalid header.

    The header contains seconds or an HTTP date (RFC 9110, 10.2.3). now: epoch seconds.
    """
    if header is None:
        return None
    if seconds := re.fullmatch(r"[ \t]*([0-9]{1,300})[ \t]*", header):
        wait = float(seconds[1])
    else:
        try:
            date = parsedate_to_datetime(header)
            wait = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER)


def excerpt(text: str, secrets: Iterable[str]) -> str:
    """Return the start of a response on one line, with `secrets` redacted."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, "***")
    return truncate(single_line(text), MAX_EXCERPT)
