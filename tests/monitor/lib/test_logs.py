"""A repeated line is counted instead of written again."""

import io
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from monitor.lib.logs import (
    MAX_GROUPS,
    MAX_LINES_PER_LOGGER,
    MAX_LINES_PER_TEMPLATE,
    WINDOW,
    DeduplicatingHandler,
)
from tests.processes import ROOT


class Log:
    """A logger with a clock that tests set."""

    def __init__(self) -> None:
        self.now, self.stream = 0.0, io.StringIO()
        self.handler = DeduplicatingHandler(self.stream, lambda: self.now)
        self.logger = logging.Logger("test")
        self.logger.addHandler(self.handler)

    def take_lines(self) -> list[str]:
        """Return the lines that were written since the last call."""
        lines = self.stream.getvalue().splitlines()
        self.stream.seek(0)
        self.stream.truncate()
        return lines


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    yield log
    log.handler.close()


def test_the_same_line_is_written_once_a_minute_and_then_counted(log: Log) -> None:
    for _ in range(100):
        log.logger.error("the disk is full")
    assert log.take_lines() == ["the disk is full"]
    log.now = WINDOW
    log.logger.error("the disk is full")
    assert log.take_lines() == ["repeated 99 times, the last: the disk is full", "the disk is full"]


def test_the_number_of_repeated_lines_is_logged_before_another_line(log: Log) -> None:
    log.logger.error("the disk is full")
    log.logger.error("the disk is full")
    log.now = WINDOW
    log.logger.info("all is well")
    assert log.take_lines() == [
        "the disk is full",
        "repeated once, the last: the disk is full",
        "all is well",
    ]


def test_the_number_of_repeated_lines_is_logged_at_the_end(log: Log) -> None:
    log.logger.error("the disk is full")
    log.logger.error("the disk is full")
    log.handler.close()
    assert log.take_lines()[1:] == ["repeated once, the last: the disk is full"]


def test_lines_of_one_template_are_all_written_while_they_are_few(log: Log) -> None:
    for n in range(MAX_LINES_PER_TEMPLATE + 5):
        log.logger.error("row %s is of no use", n)
    assert log.take_lines() == [f"row {n} is of no use" for n in range(MAX_LINES_PER_TEMPLATE)]
    log.now = WINDOW
    log.logger.warning("another one")
    assert log.take_lines()[0] == f"repeated 5 times, the last: row {MAX_LINES_PER_TEMPLATE + 4} is of no use"


def test_the_first_of_repeated_tracebacks_is_written(log: Log) -> None:
    for n in range(3):
        try:
            raise ValueError(n)
        except ValueError:
            log.logger.exception("turn %s failed", n)
    lines = log.take_lines()
    assert [line for line in lines if line.startswith("turn")] == [f"turn {n} failed" for n in range(3)]
    assert sum(line.startswith("Traceback") for line in lines) == 1


def test_lines_of_another_level_or_error_are_not_repeats(log: Log) -> None:
    log.logger.error("it failed")
    log.logger.warning("it failed")
    for fault in (ValueError("a"), KeyError("a")):
        try:
            raise fault
        except Exception:
            log.logger.exception("it failed")
    assert [line for line in log.take_lines() if line == "it failed"] == ["it failed"] * 4


def test_a_logger_whose_lines_are_all_different_is_bounded_too(log: Log) -> None:
    for n in range(MAX_LINES_PER_LOGGER + 50):
        log.logger.error(f"socket {n} is lost")
    assert len(log.take_lines()) == MAX_LINES_PER_LOGGER


def test_a_bounded_number_of_message_groups_is_remembered(log: Log) -> None:
    log.logger.error("the disk is full")
    log.logger.error("the disk is full")
    for n in range(MAX_GROUPS):
        log.logger.error(f"socket {n} is lost")
    assert "repeated once, the last: the disk is full" in log.take_lines()


def test_a_line_with_wrong_arguments_affects_only_itself(
    log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    log.logger.error("%d rows", "no")
    log.logger.error("all is well")
    assert log.take_lines() == ["all is well"]
    assert "Logging error" in capsys.readouterr().err


def test_libraries_log_only_warnings() -> None:
    script = """
import logging
from monitor.lib import logs
logs.configure_logging(logging.INFO, logging.Formatter("%(name)s %(message)s"))
for name in ("botocore.credentials", "botocore.loaders", "aiobotocore", "aiohttp", "monitor.app"):
    logging.getLogger(name).info("info")
    logging.getLogger(name).warning("warning")
"""
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert process.stderr.splitlines() == [
        "botocore.loaders warning",
        "aiobotocore warning",
        "aiohttp warning",
        "monitor.app info",
        "monitor.app warning",
    ]
