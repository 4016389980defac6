"""Logs to standard error. Repeated lines are counted instead of written."""

import copy
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import inf
from typing import Final, TextIO

WINDOW: Final = 60.0  # seconds from the first line of a group until its summary
MAX_LINES_PER_TEMPLATE: Final = 10  # different lines of one template per window
MAX_LINES_PER_LOGGER: Final = 100  # lines of one logger and level per window
MAX_GROUPS: Final = 1000  # in memory; beyond this the oldest group is summarized early
OWN_LOGGERS: Final = ("monitor", "collectors", "rules")  # they log from the configured level on
# At each attempt to get credentials, they log a traceback of an error that they also raise and that Headroom
# reports.
REPEATING_LOGGERS: Final = tuple(
    f"{library}.{module}" for library in ("aiobotocore", "botocore") for module in ("credentials", "tokens")
)


def configure_logging(level: int, formatter: logging.Formatter) -> None:
    """Log to standard error: Headroom's loggers from `level` on, libraries from WARNING on.

    At INFO botocore would log for each client where it found credentials.
    """
    handler = DeduplicatingHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level)
    silence_repeating_loggers()


def silence_repeating_loggers() -> None:
    """Silence the loggers of errors that are also raised; commands without other logging call this, too."""
    for name in REPEATING_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


@dataclass(slots=True)
class LineGroup:
    """Lines of one template, or of one logger and level, in a window that starts at `since`.

    written, withheld: the numbers of lines that were written, and that were not. last: the last withheld
    line. messages: the written lines.
    """

    since: float
    written: int = 0
    withheld: int = 0
    last: logging.LogRecord | None = None
    messages: set[str] = field(default_factory=set)


class DeduplicatingHandler(logging.StreamHandler[TextIO]):
    """Writes equal lines once per window, one traceback per template, and a summary of withheld lines."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._groups: OrderedDict[Hashable, LineGroup] = OrderedDict()  # oldest first

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # the arguments do not fit the template
            self.handleError(record)
            return
        now = self._clock()
        self._end_windows(now - WINDOW)
        template_group = self._group((record.name, record.levelno, str(record.msg), _raised_at(record)), now)
        logger_group = self._group((record.name, record.levelno), now)
        if message in template_group.messages or template_group.written >= MAX_LINES_PER_TEMPLATE:
            template_group.withheld, template_group.last = template_group.withheld + 1, record
        elif logger_group.written >= MAX_LINES_PER_LOGGER:
            logger_group.withheld, logger_group.last = logger_group.withheld + 1, record
        else:
            super().emit(_without_traceback(record) if template_group.written else record)
            template_group.messages.add(message)
            template_group.written, logger_group.written = (
                template_group.written + 1,
                logger_group.written + 1,
            )

    def close(self) -> None:
        """Write the pending summaries and close."""
        self.acquire()
        try:
            self._end_windows(inf)
        finally:
            self.release()
        super().close()

    def _group(self, key: Hashable, now: float) -> LineGroup:
        group = self._groups.get(key)
        if group is None:
            while len(self._groups) >= MAX_GROUPS:
                self._summarize(self._groups.popitem(last=False)[1])
            group = self._groups[key] = LineGroup(now)
        return group

    def _end_windows(self, latest_start: float) -> None:
        """Write the summaries of groups whose windows started by `latest_start`, and remove these groups."""
        while self._groups and next(iter(self._groups.values())).since <= latest_start:
            self._summarize(self._groups.popitem(last=False)[1])

    def _summarize(self, group: LineGroup) -> None:
        if group.last:
            summary = _without_traceback(group.last)
            times = "once" if group.withheld == 1 else f"{group.withheld} times"
            summary.msg = f"repeated {times}, the last: {group.last.getMessage()}"
            summary.args = None
            super().emit(summary)


def _raised_at(record: logging.LogRecord) -> tuple[str, int] | None:
    """Return the name of the exception and the line that raised it."""
    kind, _, trace = record.exc_info or (None, None, None)
    if kind is None:
        return None
    while trace and trace.tb_next:
        trace = trace.tb_next
    return kind.__name__, trace.tb_lineno if trace else 0


def _without_traceback(record: logging.LogRecord) -> logging.LogRecord:
    copied = copy.copy(record)
    copied.exc_info = copied.exc_text = copied.stack_info = None
    return copied
