"""Values in CSV, as spreadsheets read it."""

from monitor.lib.text import escape_unprintable

FORMULA_PREFIXES = ("=", "+", "-", "@")  # a spreadsheet evaluates cells that start with one


def spreadsheet_cell(value: object) -> object:
    """Return a value as CSV contains it: an apostrophe precedes what a spreadsheet would evaluate."""
    if not isinstance(value, str):
        return value
    return ("'" if value.startswith(FORMULA_PREFIXES) else "") + escape_unprintable(value)
