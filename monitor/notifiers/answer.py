"""What came of one attempt to tell a receiver: a value, never an exception."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus

from monitor.notifiers.text import clean, cut

LONGEST = 200  # characters of what a receiver said that a sentence repeats
LONGEST_WAIT = 24 * 3600.0  # seconds; a receiver that asks for more is asked again after a day
LEAST_SECRET = 6  # characters; hiding shorter ones would hide words
PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class Outcome(StrEnum):
    """What to do next: nothing, try again, or park it for a person to look at."""

    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of an attempt.

    reason: a short word of few values, for counting: `http_503`, `timeout`, `tls`; empty when delivered.
    sentence: for people; names no more of the receiver's address than its host, and no secret.
    status: HTTP's or SMTP's, where the receiver gave one. retry_after: seconds it asked us to wait.
    headers: HTTP's.
    """

    outcome: Outcome
    sentence: str
    reason: str = ""
    status: int | None = None
    retry_after: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def delivered(sentence: str, status: int | None = None) -> Answer:
    return Answer(Outcome.DELIVERED, sentence, status=status)


def retry(reason: str, sentence: str) -> Answer:
    return Answer(Outcome.RETRY, sentence, reason)


def refused(reason: str, sentence: str) -> Answer:
    return Answer(Outcome.REFUSED, sentence, reason)


def of_status(who: str, status: int, said: str = "", retry_after: float | None = None) -> Answer:
    """The answer that an HTTP status means. `said`: the receiver's own words, fit to be shown.

    A redirection is a refusal: what was configured is not what answers, and following it could lead
    anywhere. All of 5xx pass, as do 408, 425 and 429.
    """
    sentence = f"{who} answered {status}" + (f": {said}" if said else "")
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return delivered(sentence, status)
    passing = status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    outcome = Outcome.RETRY if passing else Outcome.REFUSED
    return Answer(outcome, sentence, f"http_{status}", status, retry_after if passing else None)


def all_of(answers: Iterable[Answer]) -> Answer:
    """The one that says what to do about several attempts that must all succeed; the first of the worst."""
    return max(answers, key=lambda answer: URGENCY.index(answer.outcome))


def any_of(answers: Iterable[Answer]) -> Answer:
    """The one that says what to do about several attempts of which one suffices."""
    return min(answers, key=lambda answer: ENOUGH.index(answer.outcome))


URGENCY = (Outcome.DELIVERED, Outcome.REFUSED, Outcome.RETRY)
ENOUGH = (Outcome.DELIVERED, Outcome.RETRY, Outcome.REFUSED)


def seconds_to_wait(header: str | None, now: float) -> float | None:
    """What a Retry-After header asks for: seconds, or an HTTP date (RFC 9110, 10.2.3); None for garbage."""
    if header is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,12}\s*", header):
        wait = float(header)
    else:
        try:
            moment = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    return min(max(wait, 0.0), LONGEST_WAIT)


def excerpt(said: str, secrets: Iterable[str]) -> str:
    """What a receiver said, fit to be shown: no secret of ours in it, one line, not long."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= LEAST_SECRET:
            said = said.replace(secret, "***")
    return cut(clean(said), LONGEST)
