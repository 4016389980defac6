"""Lines of the log as JSON."""

import io
import json
import logging

from monitor.lib.json_formatter import JsonFormatter


def test_a_record_with_any_content_is_one_line() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("monitor.app")
    logger.addHandler(handler)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("%s broke \n\udcff", "it")
    logger.info("well")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == (
        "error",
        "monitor.app",
        "it broke \n\udcff",
    )
    assert "ValueError: two" in first["traceback"] and first["time"].endswith("+00:00")
    assert (second["level"], second["message"], "traceback" in second) == ("info", "well", False)
