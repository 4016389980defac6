"""The output formats of `headroom paths`: tables for the terminal, and JSON.

The paths are JSON objects as /api/v1/paths returns them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import orjson
from rich.text import Text

from monitor.lib.text import escape_unprintable
from monitor.render.text import per_request_text
from monitor.report.terminal import console_of, print_table
from rules.units import parse_unit

UNKNOWN = "not known"
MIN_ROOM = 0.005  # headroom divided by the flow now; a smaller quotient is shown as `no room`
PathJson = Mapping[str, Any]


def rate_text(path: PathJson, number: float | None) -> str:
    """Return a number of requests per second at the path's entrance, as text."""
    return UNKNOWN if number is None else parse_unit(f"{path['unit']}/s").format(number)


def room_text(path: PathJson) -> str:
    """Return the headroom of a path in percent of its flow now: `+22 %`, `no room`; empty if not known."""
    if path["headroom"] is None or not path["flow"]:
        return ""
    ratio = path["headroom"] / path["flow"]
    return "no room" if ratio < MIN_ROOM else f"+{ratio:.0%}".replace("%", " %")


def limit_text(limit: PathJson | None) -> str:
    """Return the signal and the resource of a limit; empty without a limit."""
    if limit is None:
        return ""
    resource = limit["resource"] or f"account {limit['account']}"
    return f"{limit['service']}.{limit['signal']} {resource} in {limit['region']}"


def summary_rows(paths: Sequence[PathJson]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each path."""
    for path in paths:
        capacity = rate_text(path, path["capacity"])
        yield (
            path["name"],
            rate_text(path, path["flow"]),
            f"at most {capacity}" if path["at_most"] and path["capacity"] is not None else capacity,
            room_text(path),
            limit_text(path["weakest"]) or UNKNOWN,
            limit_text(path["next"]),
        )


SUMMARY_COLUMNS = ("path", "now", "carries", "room", "weakest limit", "then")
DETAIL_COLUMNS = ("hop", "zone", "limit", "usage", "a request uses", "carries")


def detail_rows(path: PathJson) -> Iterator[tuple[str, ...]]:
    """Yield a row for each limit on a path, and for each hop without one."""
    for number, hop in enumerate(path["hops"], 1):
        name = f"{number} {hop['name']}"
        for limit in hop["limits"]:
            yield name, limit["zone"], *_limit_texts(path, limit)
        if not hop["limits"]:
            per_request = hop["per_request"]
            visits = "" if per_request is None else parse_unit(hop["unit"]).format(per_request)
            carries = "no limit" if hop["known"] else UNKNOWN
            yield name, "", f"{hop['service']} {hop['resource']}", "", visits, carries


def _limit_texts(path: PathJson, limit: PathJson) -> tuple[str, ...]:
    unit = parse_unit(limit["unit"])
    usage, value = limit["usage"], limit["limit"]
    usage_text = UNKNOWN if usage is None else unit.format(usage)
    if usage is not None and value is not None:
        usage_text = unit.format_fraction(usage, value)
    per_request = limit["per_request"]
    carries = "not used by requests" if limit["used"] is False else rate_text(path, limit["capacity"])
    return (
        f"{limit['service']}.{limit['signal']} {limit['resource'] or 'account'}",
        f"{usage_text} (inferred)" if limit["inferred"] else usage_text,
        UNKNOWN if per_request is None else per_request_text(unit, per_request),
        f"{carries}, the weakest" if limit == path["weakest"] else carries,
    )


def as_table(document: PathJson, out: TextIO) -> None:
    """Write the list of paths, or one path with its limits, as a table."""
    if "hops" not in document:
        if not document["items"]:
            out.write("No request path is evaluated; `path_files` of the configuration names their files.\n")
            return
        _write_table(SUMMARY_COLUMNS, summary_rows(document["items"]), out)
        reasons = [reason for path in document["items"] for reason in path["reasons"]]
    else:
        _write_lines(path_lines(document), out)
        _write_table(DETAIL_COLUMNS, detail_rows(document), out)
        reasons = document["reasons"]
    if reasons:
        _write_lines(["", "Not known; a path may therefore carry less than shown:", *reasons], out)


def path_lines(path: PathJson) -> Iterator[str]:
    """Yield the lines about a path as a whole, which precede its limits."""
    capacity = rate_text(path, path["capacity"])
    at_most = "at most " if path["at_most"] and path["capacity"] is not None else ""
    flow, room = rate_text(path, path["flow"]), room_text(path)
    yield f"{path['name']}: {flow} now; carries {at_most}{capacity} {room}".rstrip()
    if path["next"]:
        yield f"once the weakest limit is raised: {rate_text(path, path['next']['capacity'])}"
    if payload := path["payload"]:
        yield f"largest payload: {parse_unit('bytes').format(payload['bytes'])} ({payload['what']})"


def _write_lines(lines: Iterator[str] | Sequence[str], out: TextIO) -> None:
    out.writelines(f"{escape_unprintable(line)}\n" for line in lines)


def _write_table(header: Sequence[str], rows: Iterator[tuple[str, ...]], out: TextIO) -> None:
    cells = [[Text(escape_unprintable(cell)) for cell in row] for row in rows]
    print_table(console_of(out), header, cells)


def as_json(document: PathJson, out: TextIO) -> None:
    """Write the document as the API returned it."""
    out.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")


FORMATS: Mapping[str, Callable[[PathJson, TextIO], None]] = {"table": as_table, "json": as_json}
