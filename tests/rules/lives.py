"""Stories: what samples say, a letter a minute, and what became of the alerts."""

from collections.abc import Iterable, Mapping

import numpy as np

from rules.alerts import MARGIN, NEVER, Alert, Breach, Ints, Pace, Rule, Samples, State, Terms, breached, step
from rules.lives import Alerts, Transitions

NAN = float("nan")
WINDOW = 180
SAMPLES = {
    "b": (0.10, 0.0),  # below the band
    "l": (0.41, NAN),  # within it, yet not clear of `below`
    ".": (0.50, NAN),
    "h": (0.68, 0.0),  # within it, yet not clear of `above`
    "a": (0.80, 0.0),  # above it
    "c": (0.95, NAN),
    "s": (0.50, 1.0),  # refused in a burst
    "t": (NAN, 0.1),  # refused, and no usage known
    "z": (NAN, 0.0),  # nothing refused, which is no sample
    "_": (NAN, NAN),
}
HOLD = {Rule.BELOW: 3, Rule.ABOVE: 2, Rule.CRITICAL: 2, Rule.SATURATED: 0}
KEEP_FIRING_FOR = {Rule.BELOW: 2, Rule.ABOVE: 2, Rule.CRITICAL: 2, Rule.SATURATED: 3}
STALE_AFTER = 5

History = Mapping[int, str]  # of one series, by minute


def terms(series: int, factor: float = 1, low: float = 0.4) -> Terms:
    """The default band, at a limit times `factor`, for many series."""
    band = [np.full(series, bound * factor, np.float32) for bound in (low, 0.7, 0.9)]
    paces = [
        np.array([[column[rule]] * series for rule in Rule], np.int32) for column in (HOLD, KEEP_FIRING_FOR)
    ]
    return Terms(band[0], band[1], band[2], paces[0], paces[1], np.full(series, STALE_AFTER, np.int32))


def samples(letters: Iterable[str]) -> Samples:
    pairs = np.array([SAMPLES[letter] for letter in letters], np.float32).reshape(-1, 2)
    return Samples(pairs[:, 0], pairs[:, 1])


def pace(rule: Rule) -> Pace:
    return Pace(HOLD[rule], KEEP_FIRING_FOR[rule], STALE_AFTER)


def breach(letter: str, rule: Rule) -> Breach | None:
    """What one sample is to a rule at the default band."""
    one = samples(letter)
    if not one.known.all():
        return None
    return Breach(*(bool(breached(one, terms(1), margin)[rule, 0]) for margin in (0, MARGIN)))


def lived(history: History, rule: Rule) -> list[tuple[int, Alert]]:
    """The alert after each sample, the plain way."""
    alert, lived = Alert(), []
    for minute in sorted(history):
        alert = step(alert, minute, breach(history[minute], rule), pace(rule))
        lived.append((minute, alert))
    return lived


def alert_of(many: Alerts, rule: Rule, place: int) -> Alert:
    state, since, clear_since = (int(c[rule, place]) for c in (many.state, many.since, many.clear_since))
    return Alert(State(state), since, clear_since, int(many.seen[place]))


class Past:
    """The samples of some series as they stand, to be asked as the lives ask."""

    def __init__(self) -> None:
        self.written: dict[tuple[int, int], str] = {}

    def write(self, place: int, minute: int, letter: str) -> None:
        self.written[place, minute] = letter

    def history(self, place: int) -> History:
        return {minute: letter for (at, minute), letter in self.written.items() if at == place}

    def newest(self, places: Ints) -> Ints:
        return np.array([max(self.history(place), default=NEVER) for place in places.tolist()], np.int32)

    def __call__(self, places: Ints, minutes: Ints) -> Samples:
        asked = zip(places.tolist(), minutes.tolist(), strict=True)
        return samples(self.written.get(key, "_") for key in asked)


def told(transitions: Transitions) -> list[tuple[int, Rule, int, State, State]]:
    """Transitions as (place, rule, minute, before, after)."""
    columns = (c.tolist() for c in (transitions.place, transitions.rule, transitions.minute))
    states = (c.tolist() for c in (transitions.before, transitions.after))
    rows = zip(*columns, *states, strict=True)
    return [(place, Rule(rule), minute, State(b), State(a)) for place, rule, minute, b, a in rows]
